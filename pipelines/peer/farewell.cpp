// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/peer/farewell.h"

#include "elements/webrtc/webrtcbin.h"

#include <condition_variable>
#include <memory>
#include <mutex>

namespace sotto {
namespace {

constexpr guint8 kAlertRecord = 21;  // RFC 5246, 6.2.1: ContentType.

/// Becomes true when an alert has left the pad.
class Departure {
 public:
  static GstPadProbeReturn look(GstPad* pad, GstPadProbeInfo* info, gpointer held) {
    guint8 type = 0;
    if (gst_buffer_extract(GST_PAD_PROBE_INFO_BUFFER(info), 0, &type, 1) != 1 ||
        type != kAlertRecord) {
      return GST_PAD_PROBE_OK;
    }
    // Idle again: the push of this very buffer has come back.
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_IDLE, &Departure::pushed, share(held), &drop);
    return GST_PAD_PROBE_REMOVE;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    left_.wait_for(lock, kFarewellLimit, [this] { return gone_; });
  }

  static gpointer share(gpointer held) {
    return new std::shared_ptr<Departure>(*static_cast<std::shared_ptr<Departure>*>(held));
  }
  static void drop(gpointer held) { delete static_cast<std::shared_ptr<Departure>*>(held); }

 private:
  static GstPadProbeReturn pushed(GstPad*, GstPadProbeInfo*, gpointer held) {
    auto& self = **static_cast<std::shared_ptr<Departure>*>(held);
    const std::lock_guard lock(self.mutex_);
    self.gone_ = true;
    self.left_.notify_all();
    return GST_PAD_PROBE_REMOVE;
  }

  std::mutex mutex_;  // Protects what follows.
  std::condition_variable left_;
  bool gone_ = false;
};

}  // namespace

void say_farewell(GstElement* webrtcbin) {
  const auto encoder = find_made_by(webrtcbin, "dtlsenc");
  if (!encoder) return;
  int state = 0;
  g_object_get(encoder.get(), "connection-state", &state, nullptr);
  if (state != kDtlsConnected) return;
  // With a data channel there is a sink pad already, without there is none.
  auto sink = GstPtr<GstPad>::adopt(gst_element_get_static_pad(encoder.get(), "sink"));
  if (!sink) sink = GstPtr<GstPad>::adopt(gst_element_request_pad_simple(encoder.get(), "sink"));
  const auto source = GstPtr<GstPad>::adopt(gst_element_get_static_pad(encoder.get(), "src"));
  if (!sink || !source) return;
  auto departure = std::make_shared<Departure>();
  gst_pad_add_probe(source.get(), GST_PAD_PROBE_TYPE_BUFFER, &Departure::look,
                    Departure::share(&departure), &Departure::drop);
  gst_pad_send_event(sink.get(), gst_event_new_eos());
  departure->wait();
}

}  // namespace sotto
