// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/direct/audience.h"

#include "core/rtc/viewing.h"
#include "pipelines/fanout/viewer.h"
#include "pipelines/peer/webrtcbin_peer.h"
#include "pipelines/publish/direct/live_tracks.h"

#include <algorithm>
#include <utility>

namespace sotto {
namespace {

double to_ms(rtc::MonotonicTime time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

class Audience::Member : public rtc::PeerListener {
 public:
  Member(MainContext& main, rtc::PeerOptions options, std::function<void()> connected,
         std::function<void(const std::string&)> closed)
      : main_(main),
        connected_(std::move(connected)),
        closed_(std::move(closed)),
        peer_(make_webrtcbin_peer(main, *this, std::move(options))) {}
  ~Member() override { close(); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void answer(const std::string& offer, std::vector<rtc::FeedTrack> tracks,
              std::function<void(Result<std::string>)> answered) {
    const auto parsed = rtc::sdp::parse(offer);
    if (!parsed) {
      answered(tl::unexpected<Error>(parsed.error()));
      return;
    }
    auto plan = rtc::plan_for_offer(*parsed, tracks, "sotto");
    if (!plan) {
      answered(tl::unexpected<Error>(plan.error()));
      return;
    }
    viewer_ = std::make_unique<Viewer>(main_, peer_, make_live_feed(std::move(tracks)),
                                       std::move(plan->lines));
    peer_->answer(offer, std::move(plan->media), std::move(answered));
  }
  rtc::Peer& peer() { return *peer_; }
  bool is_connected() const { return is_connected_; }
  void close() {
    closed_ = nullptr;
    peer_->close();
  }

  void add_to(AudienceStats& sum) const {
    if (!viewer_) return;
    for (const auto& line : viewer_->line_stats()) {
      sum.bytes += line.media.bytes;
      sum.dropped_frames += line.media.dropped_frames;
      sum.delay_p50_ms = std::max(sum.delay_p50_ms, to_ms(line.media.delay_p50));
      sum.delay_p99_ms = std::max(sum.delay_p99_ms, to_ms(line.media.delay_p99));
    }
    sum.round_trip_ms = std::max(sum.round_trip_ms, to_ms(viewer_->peer_stats().round_trip));
  }

  void on_connected() override {
    is_connected_ = true;
    viewer_->start();
    connected_();
  }
  void on_keyframe_wanted(const std::string& mid) override {
    if (viewer_) viewer_->request_keyframe(mid);
  }
  void on_closed(rtc::CloseReason reason, const std::string& text) override {
    final_ = {};
    add_to(final_);
    viewer_.reset();
    if (const auto closed = std::exchange(closed_, nullptr)) {
      closed(std::string(name_of(reason)) + (text.empty() ? "" : ": " + text));
    }
  }
  /// What it had sent when it was closed.
  const AudienceStats& final() const { return final_; }

 private:
  MainContext& main_;
  std::function<void()> connected_;
  std::function<void(const std::string&)> closed_;
  bool is_connected_ = false;
  AudienceStats final_;
  std::unique_ptr<Viewer> viewer_;
  std::shared_ptr<rtc::Peer> peer_;
};

Audience::Audience(MainContext& main, std::size_t limit, bool loopback, Callbacks callbacks)
    : main_(main),
      limit_(limit),
      loopback_(loopback),
      callbacks_(std::move(callbacks)),
      self_(std::make_shared<Audience*>(this)) {}

Audience::~Audience() {
  self_.reset();
  for (auto& [session, member] : members_) member->close();
}

void Audience::add(const std::string& session, const std::string& offer,
                   std::vector<rtc::IceServer> ice_servers, std::vector<rtc::FeedTrack> tracks,
                   std::function<void(Result<std::string>)> answered) {
  if (members_.count(session) != 0) {
    answered(fail(ErrorCode::kExists, "this session is known"));
    return;
  }
  if (members_.size() >= limit_) {
    ++past_.refused;
    answered(fail(ErrorCode::kUnavailable, "as many viewers as the publisher serves himself"));
    return;
  }
  rtc::PeerOptions options;
  options.label = "direct";
  options.ice_servers = std::move(ice_servers);
  options.loopback_candidates = loopback_;
  const std::weak_ptr<Audience*> weak = self_;
  auto member = std::make_shared<Member>(
      main_, std::move(options),
      [weak, session] {
        const auto self = weak.lock();
        if (!self) return;
        ++(*self)->past_.served;
        (*self)->callbacks_.connected(session);
      },
      [weak, session](const std::string& reason) {
        if (const auto self = weak.lock()) (*self)->drop(session, reason);
      });
  members_.emplace(session, member);
  member->answer(offer, std::move(tracks),
                 [weak, session, answered = std::move(answered)](Result<std::string> answer) {
                   const auto self = weak.lock();
                   if (!self) return;
                   // `ended` is for those who were answered.
                   if (!answer) (*self)->remove(session);
                   answered(std::move(answer));
                 });
}

Result<> Audience::add_candidate(const std::string& session, const rtc::Candidate& candidate) {
  const auto found = members_.find(session);
  if (found == members_.end()) return fail(ErrorCode::kNotFound, "there is no such session");
  return found->second->peer().add_candidate(candidate);
}

bool Audience::remove(const std::string& session) {
  const auto found = members_.find(session);
  if (found == members_.end()) return false;
  found->second->close();
  forget(session);
  return true;
}

void Audience::drop(const std::string& session, const std::string& reason) {
  forget(session);
  callbacks_.ended(session, reason);
}

void Audience::forget(const std::string& session) {
  const auto found = members_.find(session);
  if (found == members_.end()) return;
  auto member = std::move(found->second);
  members_.erase(found);
  past_.bytes += member->final().bytes;
  past_.dropped_frames += member->final().dropped_frames;
  // It may be telling us so right now: not under its own feet.
  main_.post([member = std::move(member)] {});
}

void Audience::clear(const std::string& reason) {
  while (!members_.empty()) {
    const std::string session = members_.begin()->first;
    members_.begin()->second->close();
    drop(session, reason);
  }
}

AudienceStats Audience::stats() const {
  AudienceStats sum = past_;
  for (const auto& [session, member] : members_) {
    if (!member->is_connected()) continue;
    ++sum.viewers;
    member->add_to(sum);
  }
  return sum;
}

}  // namespace sotto
