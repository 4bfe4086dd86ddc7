// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/metered_stream.h"

namespace {

using sotto::server::StreamMeter;

// GObject memory is zeroed and never constructed, so these structs hold plain pointers only; what
// is C++ hangs off `meter`.
struct MeteredInput {
  GFilterInputStream parent;
  StreamMeter* meter;  // Borrowed from the MeteredStream that owns this half.
};
struct MeteredInputClass {
  GFilterInputStreamClass parent;
};
struct MeteredOutput {
  GFilterOutputStream parent;
  StreamMeter* meter;
};
struct MeteredOutputClass {
  GFilterOutputStreamClass parent;
};
struct MeteredStream {
  GIOStream parent;
  GIOStream* base;
  MeteredInput* input;
  MeteredOutput* output;
  StreamMeter* meter;
};
struct MeteredStreamClass {
  GIOStreamClass parent;
};

constexpr guint8 kFirstControlOpcode = 0x8;  // RFC 6455 section 5.5.

void count_written(StreamMeter* meter, const guint8* bytes, gsize offered, gssize written) {
  if (written <= 0 || offered == 0) return;
  if (meter->frame_left == 0) {
    meter->frame_left = offered;
    meter->frame_is_data = (bytes[0] & 0x0fU) < kFirstControlOpcode;
  }
  const auto n = static_cast<std::uint64_t>(written);
  meter->frame_left -= n < meter->frame_left ? n : meter->frame_left;
  if (meter->frame_is_data) meter->data_written += n;
}

// ---- the reading half

GPollableInputStream* base_input(GPollableInputStream* self) {
  return G_POLLABLE_INPUT_STREAM(
      g_filter_input_stream_get_base_stream(G_FILTER_INPUT_STREAM(self)));
}
gboolean input_is_readable(GPollableInputStream* self) {
  return g_pollable_input_stream_is_readable(base_input(self));
}
GSource* input_create_source(GPollableInputStream* self, GCancellable* cancellable) {
  GSource* child = g_pollable_input_stream_create_source(base_input(self), cancellable);
  GSource* source = g_pollable_source_new_full(self, child, cancellable);
  g_source_unref(child);
  return source;
}
gssize input_read_nonblocking(GPollableInputStream* self, void* buffer, gsize count,
                              GError** error) {
  StreamMeter* meter = reinterpret_cast<MeteredInput*>(self)->meter;
  if (meter->read >= meter->read_limit) {
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                        "the message does not end");
    return -1;
  }
  const gssize n =
      g_pollable_input_stream_read_nonblocking(base_input(self), buffer, count, nullptr, error);
  if (n > 0) meter->read += static_cast<std::uint64_t>(n);
  return n;
}
void input_pollable_init(gpointer iface, gpointer) {
  auto* pollable = static_cast<GPollableInputStreamInterface*>(iface);
  pollable->is_readable = input_is_readable;
  pollable->create_source = input_create_source;
  pollable->read_nonblocking = input_read_nonblocking;
}

// ---- the writing half

GPollableOutputStream* base_output(GPollableOutputStream* self) {
  return G_POLLABLE_OUTPUT_STREAM(
      g_filter_output_stream_get_base_stream(G_FILTER_OUTPUT_STREAM(self)));
}
gboolean output_is_writable(GPollableOutputStream* self) {
  return g_pollable_output_stream_is_writable(base_output(self));
}
GSource* output_create_source(GPollableOutputStream* self, GCancellable* cancellable) {
  GSource* child = g_pollable_output_stream_create_source(base_output(self), cancellable);
  GSource* source = g_pollable_source_new_full(self, child, cancellable);
  g_source_unref(child);
  return source;
}
gssize output_write_nonblocking(GPollableOutputStream* self, const void* buffer, gsize count,
                                GError** error) {
  const gssize n =
      g_pollable_output_stream_write_nonblocking(base_output(self), buffer, count, nullptr, error);
  count_written(reinterpret_cast<MeteredOutput*>(self)->meter, static_cast<const guint8*>(buffer),
                count, n);
  return n;
}
void output_pollable_init(gpointer iface, gpointer) {
  auto* pollable = static_cast<GPollableOutputStreamInterface*>(iface);
  pollable->is_writable = output_is_writable;
  pollable->create_source = output_create_source;
  pollable->write_nonblocking = output_write_nonblocking;
}

}  // namespace

G_DEFINE_TYPE_WITH_CODE(MeteredInput, metered_input, G_TYPE_FILTER_INPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_INPUT_STREAM, input_pollable_init))
G_DEFINE_TYPE_WITH_CODE(MeteredOutput, metered_output, G_TYPE_FILTER_OUTPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_OUTPUT_STREAM, output_pollable_init))
G_DEFINE_TYPE(MeteredStream, metered_stream, G_TYPE_IO_STREAM)

static void metered_input_init(MeteredInput*) {}
static void metered_input_class_init(MeteredInputClass*) {}
static void metered_output_init(MeteredOutput*) {}
static void metered_output_class_init(MeteredOutputClass*) {}

static void metered_stream_init(MeteredStream* self) { self->meter = new StreamMeter; }

static void metered_stream_finalize(GObject* object) {
  auto* self = reinterpret_cast<MeteredStream*>(object);
  g_object_unref(self->input);
  g_object_unref(self->output);
  g_object_unref(self->base);
  delete self->meter;
  G_OBJECT_CLASS(metered_stream_parent_class)->finalize(object);
}

static void metered_stream_class_init(MeteredStreamClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = metered_stream_finalize;
  GIOStreamClass* io = G_IO_STREAM_CLASS(klass);
  io->get_input_stream = [](GIOStream* s) {
    return reinterpret_cast<GInputStream*>(reinterpret_cast<MeteredStream*>(s)->input);
  };
  io->get_output_stream = [](GIOStream* s) {
    return reinterpret_cast<GOutputStream*>(reinterpret_cast<MeteredStream*>(s)->output);
  };
  io->close_fn = [](GIOStream* s, GCancellable* cancellable, GError** error) -> gboolean {
    return g_io_stream_close(reinterpret_cast<MeteredStream*>(s)->base, cancellable, error);
  };
}

namespace sotto::server {

GIOStream* metered_stream_new(GIOStream* base) {
  auto* self = reinterpret_cast<MeteredStream*>(g_object_new(metered_stream_get_type(), nullptr));
  self->base = G_IO_STREAM(g_object_ref(base));
  self->input = reinterpret_cast<MeteredInput*>(
      g_object_new(metered_input_get_type(), "base-stream", g_io_stream_get_input_stream(base),
                   "close-base-stream", FALSE, nullptr));
  self->input->meter = self->meter;
  self->output = reinterpret_cast<MeteredOutput*>(
      g_object_new(metered_output_get_type(), "base-stream", g_io_stream_get_output_stream(base),
                   "close-base-stream", FALSE, nullptr));
  self->output->meter = self->meter;
  return G_IO_STREAM(self);
}

StreamMeter& metered_stream_meter(GIOStream* stream) {
  return *reinterpret_cast<MeteredStream*>(stream)->meter;
}

}  // namespace sotto::server
