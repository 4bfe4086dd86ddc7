// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/failure.h"
#include "pipelines/camera/reaper.h"
#include "pipelines/camera/recipes.h"
#include "pipelines/camera/session.h"
#include "pipelines/fanout/clock.h"
#include "pipelines/fanout/frame_tap.h"

#include <gio/gio.h>
#include <gst/gst.h>
#include <gst/rtsp/gstrtsptransport.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace sotto::camera {
namespace {

// A description is one m-line per stream and profile; more than this is an attack on us.
constexpr unsigned kMaxDescribedStreams = 16;
constexpr int kBufferModeSlave = 1;  // Follow the sender's clock; hold nothing that is whole.

// What GStreamer's threads need; it outlives the session by as long as they run.
struct Shared {
  Shared(MainContext& main_loop, Session::Events to)
      : loop(main_loop.raw()), events(std::move(to)) {}

  MainContext loop;
  std::mutex mutex;  // Protects what follows; nobody is called under it.
  std::map<unsigned, std::shared_ptr<Ingest>> ingests;  // By m-line.
  std::vector<std::unique_ptr<FrameTap>> taps;

  std::atomic<bool> distrusted{false};  // The camera's certificate was refused.

  // Belong to the main context.
  Session::Events events;
  bool over = false;

  template <class Tell>
  static void tell(const std::shared_ptr<Shared>& self, Tell what) {
    self->loop.post([self, what = std::move(what)] {
      if (!self->over) what(self->events);
    });
  }
  static void end(const std::shared_ptr<Shared>& self, Error error) {
    tell(self, [self, error = std::move(error)](Session::Events& events) {
      self->over = true;
      auto on_ended = std::exchange(events, {}).on_ended;
      on_ended(error);
    });
  }
};
using SharedPtr = std::shared_ptr<Shared>;

void drop_shared(gpointer data) { delete static_cast<SharedPtr*>(data); }
void drop_shared_closure(gpointer data, GClosure* /*closure*/) { drop_shared(data); }

template <class Callback>
void connect(GstElement* source, const char* signal, Callback callback, const SharedPtr& shared) {
  g_signal_connect_data(source, signal, G_CALLBACK(callback), new SharedPtr(shared),
                        drop_shared_closure, static_cast<GConnectFlags>(0));
}

bool understood(const StreamInfo& stream) {
  const auto& codec = stream.codec;
  return repacketise(codec) ||
         transcode(codec, codec.kind == rtc::MediaKind::kVideo ? "VP8" : "opus");
}

// The camera's first stream of each kind that we can use.
void on_sdp(GstElement* /*source*/, GstSDPMessage* message, gpointer data) {
  const auto& shared = *static_cast<SharedPtr*>(data);
  std::shared_ptr<Ingest> video;
  std::shared_ptr<Ingest> audio;
  std::string strange;
  const unsigned count = std::min(gst_sdp_message_medias_len(message), kMaxDescribedStreams);
  for (unsigned i = 0; i < count; ++i) {
    auto stream = stream_info(*message, i);
    if (!stream) continue;
    auto& slot = stream->codec.kind == rtc::MediaKind::kVideo ? video : audio;
    if (slot) continue;
    if (!understood(*stream)) {
      strange += (strange.empty() ? "" : ", ") + stream->codec.name;
      continue;
    }
    const std::weak_ptr<Shared> weak = shared;
    slot = std::make_shared<Ingest>(std::move(*stream), [weak] {
      if (auto still = weak.lock()) {
        Shared::tell(still, [](const Session::Events& events) {
          // Copied: what it does may end the session and with it the events.
          const auto on_news = events.on_news;
          on_news();
        });
      }
    });
  }
  std::vector<std::shared_ptr<Ingest>> found;
  {
    const std::lock_guard lock(shared->mutex);
    for (const auto& ingest : {video, audio}) {
      if (!ingest) continue;
      shared->ingests[ingest->stream().index] = ingest;
      found.push_back(ingest);
    }
  }
  if (found.empty()) {
    Shared::end(shared,
                {ErrorCode::kUnsupported,
                 strange.empty() ? "the camera describes neither pictures nor sound"
                                 : "the camera sends only " + strange + ", which we cannot read"});
    return;
  }
  Shared::tell(shared, [found](const Session::Events& events) {
    const auto on_described = events.on_described;
    on_described(found);
  });
}

gboolean on_select_stream(GstElement* /*source*/, guint index, GstCaps* /*caps*/, gpointer data) {
  const auto& shared = *static_cast<SharedPtr*>(data);
  const std::lock_guard lock(shared->mutex);
  return shared->ingests.contains(index) ? TRUE : FALSE;
}

// A closed connection is an EOS on the pads; a pipeline without sinks says nothing on its bus.
GstPadProbeReturn on_pad_event(GstPad* /*pad*/, GstPadProbeInfo* info, gpointer data) {
  if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) {
    Shared::end(*static_cast<SharedPtr*>(data),
                {ErrorCode::kUnavailable, "the camera closed the connection"});
  }
  return GST_PAD_PROBE_OK;
}

void on_pad_added(GstElement* /*source*/, GstPad* pad, gpointer data) {
  const auto& shared = *static_cast<SharedPtr*>(data);
  if (gst_pad_get_direction(pad) != GST_PAD_SRC) return;
  // rtspsrc names its pads after rtpbin's: stream, SSRC, payload type.
  gchar* name = gst_pad_get_name(pad);
  unsigned index = 0;
  const bool known = std::sscanf(name, "recv_rtp_src_%u_", &index) == 1 ||
                     std::sscanf(name, "stream_%u", &index) == 1;
  g_free(name);
  if (!known) return;
  std::shared_ptr<Ingest> ingest;
  {
    const std::lock_guard lock(shared->mutex);
    if (auto found = shared->ingests.find(index); found != shared->ingests.end()) {
      ingest = found->second;
    }
  }
  if (!ingest) return;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_pad_event, new SharedPtr(shared),
                    drop_shared);
  auto tap = std::make_unique<FrameTap>(ingest->stream().codec, ingest);
  tap->link(pad);
  const std::lock_guard lock(shared->mutex);
  shared->taps.push_back(std::move(tap));
}

// Asked only about certificates that did not pass; the error that follows does not say so.
gboolean on_bad_certificate(GstElement* /*source*/, GTlsConnection* /*connection*/,
                            GTlsCertificate* /*certificate*/, GTlsCertificateFlags /*flaws*/,
                            gpointer data) {
  (*static_cast<SharedPtr*>(data))->distrusted = true;
  return FALSE;
}

GstBusSyncReply on_message(GstBus* /*bus*/, GstMessage* message, gpointer data) {
  const auto& shared = *static_cast<SharedPtr*>(data);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    Shared::end(shared, shared->distrusted
                            ? Error{ErrorCode::kCrypto,
                                    "the camera's certificate is not trusted; if it made its own, "
                                    "set verify_tls to false"}
                            : failure_of(message));
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    Shared::end(shared, {ErrorCode::kUnavailable, "the camera ended the stream"});
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

// rtspsrc ─┬─ recv_rtp_src_0_… ──► FrameTap ──► Ingest (video)
//          └─ recv_rtp_src_1_… ──► FrameTap ──► Ingest (audio)
class RtspSession final : public Session {
 public:
  RtspSession(MainContext& loop, Address address, const Patience& patience)
      : loop_(loop), address_(std::move(address)), patience_(patience) {}
  ~RtspSession() override { stop({}); }

  void start(Events events) override {
    shared_ = std::make_shared<Shared>(loop_, std::move(events));
    GstElement* source = gst_element_factory_make("rtspsrc", "source");
    if (source == nullptr) {
      Shared::end(shared_, {ErrorCode::kUnsupported,
                            "GStreamer's rtspsrc is missing: install gstreamer1.0-plugins-good"});
      return;
    }
    pipeline_ = GstPtr<GstElement>::sink(gst_pipeline_new("camera"));
    gst_bin_add(GST_BIN(pipeline_.get()), source);
    use_monotonic_clock(GST_PIPELINE(pipeline_.get()));
    configure(source);
    connect(source, "on-sdp", on_sdp, shared_);
    connect(source, "select-stream", on_select_stream, shared_);
    connect(source, "pad-added", on_pad_added, shared_);
    connect(source, "accept-certificate", on_bad_certificate, shared_);
    auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
    gst_bus_set_sync_handler(bus.get(), on_message, new SharedPtr(shared_), drop_shared);
    deadline_ = loop_.after(patience_.connect, [shared = shared_] {
      bool described = false;
      {
        const std::lock_guard lock(shared->mutex);
        described = !shared->ingests.empty();
      }
      if (!described) {
        Shared::end(shared, {ErrorCode::kTimeout, "the camera does not answer"});
      }
    });
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  }

  void stop(std::function<void()> stopped) override {
    if (std::exchange(stopped_, true)) return;
    deadline_.cancel();
    if (shared_) {
      shared_->over = true;
      shared_->events = {};
    }
    if (!pipeline_) {
      if (stopped) loop_.post(std::move(stopped));
      return;
    }
    auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
    reap(std::move(pipeline_), [bus, shared = shared_, stopped = std::move(stopped)] {
      gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
      shared->taps.clear();
      if (stopped) shared->loop.post(stopped);
    });
  }

 private:
  void configure(GstElement* source) const {
    const bool tls = address_.transport == Transport::kTls;
    const int protocols = address_.transport == Transport::kUdp ? GST_RTSP_LOWER_TRANS_UDP
                          : tls ? GST_RTSP_LOWER_TRANS_TLS | GST_RTSP_LOWER_TRANS_TCP
                                : GST_RTSP_LOWER_TRANS_TCP;
    const auto micros = static_cast<guint64>(std::chrono::microseconds(patience_.connect).count());
    g_object_set(
        source, "location", address_.url.c_str(), "protocols", protocols, "latency",
        static_cast<guint>(address_.latency.count()), "drop-on-latency", TRUE, "buffer-mode",
        kBufferModeSlave, "tcp-timeout", micros, "timeout", guint64{0}, "udp-reconnect", FALSE,
        "tls-validation-flags",
        address_.verify_tls ? G_TLS_CERTIFICATE_VALIDATE_ALL : static_cast<GTlsCertificateFlags>(0),
        "user-agent", "sotto", nullptr);
    if (!address_.user.empty()) {
      g_object_set(source, "user-id", address_.user.c_str(), "user-pw", address_.password.c_str(),
                   nullptr);
    }
  }

  MainContext& loop_;
  const Address address_;
  const Patience patience_;
  SharedPtr shared_;
  GstPtr<GstElement> pipeline_;
  MainContext::Timer deadline_;
  bool stopped_ = false;
};

}  // namespace

std::shared_ptr<Session> make_rtsp_session(MainContext& loop, const Address& address,
                                           const Patience& patience) {
  return std::make_shared<RtspSession>(loop, address, patience);
}

std::shared_ptr<Session> make_session(MainContext& loop, const Address& address,
                                      const Patience& patience) {
  if (address.url.starts_with("demo:")) return make_demo_session(loop);
  return make_rtsp_session(loop, address, patience);
}

}  // namespace sotto::camera
