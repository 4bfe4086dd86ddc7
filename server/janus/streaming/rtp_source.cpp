// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/janus/streaming/rtp_source.h"

#include <algorithm>

namespace sotto::server::janus {
namespace {

/// Without a frame for this long, nobody sends.
constexpr std::chrono::seconds kAwayAfter{3};

class RtpFeed final : public rtc::Feed {
 public:
  RtpFeed(std::vector<rtc::FeedTrack> tracks, std::shared_ptr<std::size_t> viewers,
          std::shared_ptr<rtc::Source> source)
      : tracks_(std::move(tracks)), viewers_(std::move(viewers)), source_(std::move(source)) {
    ++*viewers_;
  }
  ~RtpFeed() override { --*viewers_; }
  const std::vector<rtc::FeedTrack>& tracks() const override { return tracks_; }
  void on_end(std::function<void(Error)>) override {}  // Ends with its mountpoint only.

 private:
  std::vector<rtc::FeedTrack> tracks_;
  std::shared_ptr<std::size_t> viewers_;
  std::shared_ptr<rtc::Source> source_;  // Watched sources stay.
};

}  // namespace

Result<std::vector<rtc::FeedTrack>> select_tracks(const std::vector<rtc::FeedTrack>& tracks,
                                                  const rtc::Wish& wish) {
  const auto accepted = wish.accept.empty() ? rtc::browser_codecs() : wish.accept;
  std::vector<rtc::FeedTrack> chosen;
  std::string refused;
  for (const auto& track : tracks) {
    const rtc::Codec& codec = track.track->codec();
    const bool wanted = codec.kind == rtc::MediaKind::kAudio ? wish.audio : wish.video;
    if (!wanted) continue;
    const bool fits = std::any_of(accepted.begin(), accepted.end(), [&](const rtc::Codec& offered) {
      return rtc::accepts(offered, codec);
    });
    if (fits) {
      chosen.push_back(track);
    } else {
      refused += (refused.empty() ? "" : ", ") + codec.name;
    }
  }
  if (chosen.empty()) {
    return fail(ErrorCode::kUnsupported, refused.empty()
                                             ? "Nothing here is what this viewer asks for"
                                             : "This viewer does not take " + refused);
  }
  return chosen;
}

Result<std::shared_ptr<RtpSource>> RtpSource::create(SourceName name, std::vector<RtpMedia> media) {
  auto source = std::make_shared<RtpSource>();
  source->name_ = std::move(name);
  std::vector<UdpInput> inputs;
  for (RtpMedia& one : media) {
    auto track = rtc::Track::create(one.codec);
    source->tracks_.push_back({one.mid, one.label, track, nullptr});
    auto& rtcp = source->rtcp_.emplace_back();
    if (one.rtcp_port) {
      auto opened = RtcpPort::open(one.address, *one.rtcp_port);
      if (!opened) return tl::unexpected<Error>(opened.error());
      rtcp = std::move(*opened);
      track->set_keyframe_requester([weak = std::weak_ptr<RtcpPort>(rtcp)] {
        if (const auto port = weak.lock()) port->request_keyframe();
      });
    }
    inputs.push_back({one.codec, one.address, one.interface, one.port, std::move(track)});
  }
  auto reader = UdpReader::open(std::move(inputs));
  if (!reader) return tl::unexpected<Error>(reader.error());
  source->reader_ = std::move(*reader);
  return source;
}

rtc::SourceInfo RtpSource::info() const {
  rtc::SourceInfo info;
  info.id = name_.id;
  info.number = name_.number;
  info.type = "rtp";
  info.title = name_.title;
  info.is_private = name_.is_private;
  info.viewers = *viewers_;
  info.state = rtc::SourceState::kAway;
  info.reason = "Nobody sends RTP to its port";
  for (const auto& track : tracks_) {
    info.tracks.emplace_back(track.mid, track.track->codec());
    const auto last = track.track->stats().last_frame;
    if (last.count() != 0 && rtc::monotonic_now() - last < kAwayAfter) {
      info.state = rtc::SourceState::kLive;
      info.reason.clear();
    }
  }
  return info;
}

void RtpSource::open(const rtc::Wish& wish,
                     std::function<void(Result<std::unique_ptr<rtc::Feed>>)> done) {
  auto chosen = select_tracks(tracks_, wish);
  if (!chosen) {
    done(tl::unexpected<Error>(chosen.error()));
    return;
  }
  done(std::make_unique<RtpFeed>(std::move(*chosen), viewers_, shared_from_this()));
}

void RtpSource::rename(std::string title, bool is_private) {
  name_.title = std::move(title);
  name_.is_private = is_private;
}

}  // namespace sotto::server::janus
