// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/linger.h"

#include <array>
#include <memory>
#include <utility>

namespace sotto::server {
namespace {

/// A client that sends on for longer than this gets the reset after all.
constexpr std::size_t kMaxDrained = 32U << 20U;
constexpr guint kMaxSeconds = 5;

struct Linger {
  GIOStream* stream;
  GSocket* socket;
  std::string answer;
  GCancellable* cancellable = g_cancellable_new();
  GSource* timer = g_timeout_source_new_seconds(kMaxSeconds);
  std::size_t drained = 0;
  std::array<char, 16'384> buffer{};

  Linger(GIOStream* s, GSocket* below, std::string text)
      : stream(G_IO_STREAM(g_object_ref(s))),
        socket(G_SOCKET(g_object_ref(below))),
        answer(std::move(text)) {
    g_source_set_callback(
        timer,
        [](gpointer c) -> gboolean {
          g_cancellable_cancel(static_cast<GCancellable*>(c));
          return G_SOURCE_REMOVE;
        },
        cancellable, nullptr);
    g_source_attach(timer, g_main_context_get_thread_default());
  }
  ~Linger() {
    g_source_destroy(timer);
    g_source_unref(timer);
    g_io_stream_close_async(stream, G_PRIORITY_DEFAULT, nullptr, nullptr, nullptr);
    g_object_unref(stream);
    g_object_unref(socket);
    g_object_unref(cancellable);
  }
  Linger(const Linger&) = delete;
  Linger& operator=(const Linger&) = delete;
};

void drain(std::unique_ptr<Linger> linger) {
  Linger* self = linger.release();
  g_input_stream_read_async(
      g_io_stream_get_input_stream(self->stream), self->buffer.data(), self->buffer.size(),
      G_PRIORITY_DEFAULT, self->cancellable,
      [](GObject* source, GAsyncResult* result, gpointer data) {
        std::unique_ptr<Linger> owned(static_cast<Linger*>(data));
        const gssize n = g_input_stream_read_finish(G_INPUT_STREAM(source), result, nullptr);
        if (n <= 0) return;
        owned->drained += static_cast<std::size_t>(n);
        if (owned->drained < kMaxDrained) drain(std::move(owned));
      },
      self);
}

}  // namespace

void answer_and_linger(GIOStream* stream, GSocket* socket, std::string answer) {
  auto* self = new Linger(stream, socket, std::move(answer));
  g_output_stream_write_all_async(
      g_io_stream_get_output_stream(stream), self->answer.data(), self->answer.size(),
      G_PRIORITY_DEFAULT, self->cancellable,
      [](GObject* source, GAsyncResult* result, gpointer data) {
        std::unique_ptr<Linger> owned(static_cast<Linger*>(data));
        if (g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, nullptr, nullptr) !=
            FALSE) {
          // The end of our side: a client that reads knows that this was all.
          g_socket_shutdown(owned->socket, FALSE, TRUE, nullptr);
          drain(std::move(owned));
        }
      },
      self);
}

}  // namespace sotto::server
