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

/// Becomes true when an alert has come to the pad.
class Departure {
 public:
  static GstPadProbeReturn look(GstPad*, GstPadProbeInfo* info, gpointer held) {
    guint8 type = 0;
    if (gst_buffer_extract(GST_PAD_PROBE_INFO_BUFFER(info), 0, &type, 1) != 1 ||
        type != kAlertRecord) {
      return GST_PAD_PROBE_OK;
    }
    auto& self = **static_cast<std::shared_ptr<Departure>*>(held);
    const std::lock_guard lock(self.mutex_);
    self.gone_ = true;
    self.left_.notify_all();
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
  const auto socket = find_made_by(webrtcbin, "nicesink");
  if (!sink || !socket) return;
  const auto exit = GstPtr<GstPad>::adopt(gst_element_get_static_pad(socket.get(), "sink"));
  auto departure = std::make_shared<Departure>();
  gst_pad_add_probe(exit.get(), GST_PAD_PROBE_TYPE_BUFFER, &Departure::look,
                    Departure::share(&departure), &Departure::drop);
  gst_pad_send_event(sink.get(), gst_event_new_eos());
  departure->wait();
  // The pad's lock was taken before the probe saw the alert and is held until the datagram is sent.
  GST_PAD_STREAM_LOCK(exit.get());
  GST_PAD_STREAM_UNLOCK(exit.get());
}

}  // namespace sotto
