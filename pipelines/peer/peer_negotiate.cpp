// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Offer and answer: each step starts the next from webrtcbin's promise, on the main context.
#include "core/base/scope_exit.h"
#include "core/rtc/sdp/again.h"
#include "core/rtc/sdp/normalise.h"
#include "pipelines/peer/peer_impl.h"

#include <algorithm>
#include <set>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(sotto_peer_debug);
#define GST_CAT_DEFAULT sotto_peer_debug

namespace sotto {
namespace {

constexpr int kFirstDynamic = 96;
constexpr int kLastDynamic = 127;
constexpr std::size_t kMaxSections = 32;  // Of one peer.

int static_payload_type(const rtc::Codec& codec) {
  if (codec.name == "PCMU") return 0;
  if (codec.name == "PCMA") return 8;
  if (codec.name == "G722") return 9;
  return -1;
}

/// In a bundle a payload type means one thing in all sections (RFC 9143, 9.1).
Result<> assign_payload_types(std::vector<rtc::MediaPlan>& media) {
  std::set<int> used;
  for (const auto& plan : media) used.insert(plan.codec.payload_type);
  int next = kFirstDynamic;
  for (std::size_t i = 0; i < media.size(); ++i) {
    auto& codec = media[i].codec;
    if (media[i].kind == rtc::MediaKind::kData || codec.payload_type >= 0) continue;
    for (std::size_t j = 0; j < i && codec.payload_type < 0; ++j) {
      const auto& other = media[j].codec;
      const bool same = other.kind == codec.kind && other.name == codec.name &&
                        other.clock_rate == codec.clock_rate && other.channels == codec.channels &&
                        other.fmtp == codec.fmtp;
      if (same) codec.payload_type = other.payload_type;
    }
    if (codec.payload_type < 0) codec.payload_type = static_payload_type(codec);
    if (codec.payload_type >= 0) continue;
    while (used.count(next) != 0) ++next;
    if (next > kLastDynamic) return fail(ErrorCode::kTooLarge, "peer: out of payload types");
    codec.payload_type = next;
    used.insert(next);
  }
  return {};
}

Result<> check_plan(std::vector<rtc::MediaPlan>& media) {
  if (media.size() > kMaxSections) return fail(ErrorCode::kTooLarge, "peer: too many sections");
  std::set<std::string> mids;
  for (std::size_t i = 0; i < media.size(); ++i) {
    if (media[i].mid.empty()) media[i].mid = std::to_string(i);
    if (!mids.insert(media[i].mid).second) return fail(ErrorCode::kInvalid, "peer: mid used twice");
  }
  return {};
}

DescriptionPtr take_description(const GstStructure* reply, const char* field) {
  GstWebRTCSessionDescription* description = nullptr;
  if (reply != nullptr) {
    gst_structure_get(reply, field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, nullptr);
  }
  return DescriptionPtr(description);
}

}  // namespace

GstPtr<GstPromise> WebrtcbinPeer::then(std::function<void(const GstStructure*)> next) {
  pending_->begin();
  return promise_calling([weak = weak_from_this(), &main = main_, pending = pending_,
                          next](Result<const GstStructure*> reply) {
    const ScopeExit answered([&] { pending->end(); });
    struct Free {
      void operator()(GstStructure* s) const { gst_structure_free(s); }
    };
    std::shared_ptr<GstStructure> copy;
    if (reply && *reply != nullptr) copy = {gst_structure_copy(*reply), Free{}};
    std::optional<Error> error;
    if (!reply) error = reply.error();
    main.post([weak, next, copy, error] {
      const auto self = weak.lock();
      if (!self || self->stage_ == Stage::kClosed) return;
      if (error) {
        self->fail_pending(*error);
        self->end(rtc::CloseReason::kInternal, error->message);
        return;
      }
      next(copy.get());
    });
  });
}

// --- we offer --------------------------------------------------------------------------------

void WebrtcbinPeer::offer(std::vector<rtc::MediaPlan> media, bool data_channel, OnSdp done) {
  if (stage_ != Stage::kNew) {
    done(fail(ErrorCode::kConflict, "peer: already negotiated; webrtcbin cannot do so again"));
    return;
  }
  auto ready = check_plan(media);
  if (ready) ready = assign_payload_types(media);
  we_offer_ = true;
  if (ready) ready = build(media, nullptr);
  if (ready && data_channel && !channels_->open(webrtcbin_.get(), options_.data_label)) {
    ready = fail(ErrorCode::kUnavailable, "webrtcbin opens no data channel");
  }
  if (!ready) {
    take_apart();
    done(tl::unexpected<Error>(ready.error()));
    return;
  }
  stage_ = Stage::kNegotiating;
  plan_ = std::move(media);
  on_sdp_ = std::move(done);
  g_signal_emit_by_name(webrtcbin_.get(), "create-offer", nullptr,
                        then([this](const auto* reply) {
                          auto offer = take_description(reply, "offer");
                          if (!offer) {
                            end(rtc::CloseReason::kInternal, "webrtcbin made no offer");
                            return;
                          }
                          set_local(std::move(offer), true);
                        }).get());
}

void WebrtcbinPeer::accept_answer(const std::string& sdp, OnDone done) {
  if (stage_ != Stage::kOffered) {
    done(fail(ErrorCode::kConflict, "peer: no offer waits for an answer"));
    return;
  }
  auto parsed = rtc::sdp::parse(sdp);
  if (parsed) parsed = rtc::sdp::normalise_remote(std::move(*parsed), rtc::sdp::Role::kAnswer);
  Result<rtc::sdp::Description> aligned =
      parsed ? rtc::sdp::align_answer(*parsed, local_) : std::move(parsed);
  if (!aligned) {
    done(tl::unexpected<Error>(aligned.error()));
    return;
  }
  const auto fingerprint = aligned->fingerprint(0);
  if (!fingerprint) {
    done(tl::unexpected<Error>(fingerprint.error()));
    return;
  }
  stage_ = Stage::kNegotiating;
  on_done_ = std::move(done);
  agree(*parsed, rtc::sdp::Role::kAnswer);
  guard_->expect(dtls_transport(webrtcbin_.get()), *fingerprint);
  deadline_ = main_.after(options_.connect_deadline, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->end(rtc::CloseReason::kConnectTimeout, "not connected in time");
    }
  });
  set_remote(GST_WEBRTC_SDP_TYPE_ANSWER, *aligned, [this] {
    stage_ = Stage::kDescribed;
    flush_candidates();
    watch_activity();
    if (auto finished = std::exchange(on_done_, nullptr)) finished({});
    on_state();
  });
}

// --- they offer ------------------------------------------------------------------------------

void WebrtcbinPeer::answer(const std::string& offer, std::vector<rtc::MediaPlan> media,
                           OnSdp done) {
  if (stage_ != Stage::kNew) {
    answer_again(offer, done);
    return;
  }
  auto ready = check_plan(media);
  Result<rtc::sdp::Description> narrowed = fail(ErrorCode::kInternal, "");
  if (ready) {
    auto parsed = rtc::sdp::parse(offer);
    if (parsed) parsed = rtc::sdp::normalise_remote(std::move(*parsed), rtc::sdp::Role::kOffer);
    if (parsed) remote_offer_ = *parsed;
    narrowed = parsed ? rtc::sdp::narrow(*parsed, media) : std::move(parsed);
    if (!narrowed) ready = tl::unexpected<Error>(narrowed.error());
  }
  Result<rtc::sdp::Fingerprint> fingerprint = fail(ErrorCode::kInternal, "");
  if (ready) {
    fingerprint = narrowed->fingerprint(0);
    if (!fingerprint) ready = tl::unexpected<Error>(fingerprint.error());
  }
  if (ready) ready = build(media, &*narrowed);
  if (!ready) {
    take_apart();
    done(tl::unexpected<Error>(ready.error()));
    return;
  }
  stage_ = Stage::kNegotiating;
  plan_ = std::move(media);
  on_sdp_ = std::move(done);
  agree(*narrowed, rtc::sdp::Role::kOffer);
  set_remote(GST_WEBRTC_SDP_TYPE_OFFER, *narrowed, [this, fingerprint = *fingerprint] {
    g_signal_emit_by_name(webrtcbin_.get(), "create-answer", nullptr,
                          then([this, fingerprint](const auto* reply) {
                            auto answer = take_description(reply, "answer");
                            if (!answer) {
                              end(rtc::CloseReason::kInternal, "webrtcbin made no answer");
                              return;
                            }
                            // Before the description is set, for ICE may connect at once.
                            guard_->expect(dtls_transport(webrtcbin_.get()), fingerprint);
                            set_local(std::move(answer), false);
                          }).get());
  });
}

/// webrtcbin 1.22 cannot change what it negotiated, and hears nothing of this: who sends what is
/// decided above it.
void WebrtcbinPeer::answer_again(const std::string& offer, const OnSdp& done) {
  if (we_offer_ || (stage_ != Stage::kDescribed && stage_ != Stage::kConnected)) {
    done(fail(ErrorCode::kConflict, "peer: an offer in the midst of a negotiation"));
    return;
  }
  auto parsed = rtc::sdp::parse(offer);
  if (parsed) parsed = rtc::sdp::normalise_remote(std::move(*parsed), rtc::sdp::Role::kOffer);
  if (parsed) {
    parsed = rtc::sdp::answer_again(*parsed, remote_offer_, local_, answers_again_ + 1);
  }
  if (!parsed) {
    done(tl::unexpected<Error>(parsed.error()));
    return;
  }
  ++answers_again_;
  agreed_ = agreed_at_first_;
  for (auto& plan : agreed_) {
    const auto index = parsed->index_of(plan.mid);
    if (index && plan.kind != rtc::MediaKind::kData) {
      plan.direction = parsed->media[*index].direction();
    }
  }
  done(rtc::sdp::print(*parsed));
}

// --- common steps ----------------------------------------------------------------------------

void WebrtcbinPeer::agree(const rtc::sdp::Description& remote, rtc::sdp::Role remote_role) {
  agreed_at_first_ = agreed_ = rtc::sdp::agreed(plan_, remote, remote_role);
  receiving_->expect(agreed_, remote);
  for (const auto& plan : agreed_) {
    const auto sending = sending_.find(plan.mid);
    const auto index = remote.index_of(plan.mid);
    if (sending == sending_.end() || !index) continue;
    const int id = rtc::sdp::transport_wide_id(remote.media[*index], plan.codec.payload_type);
    // 15 and above would need the two-byte form, which nobody offers without need (RFC 8285, 4.3).
    if (id >= 1 && id <= 14) {
      sending->second.sink->number_packets(line_, static_cast<std::uint8_t>(id));
    }
  }
}

void WebrtcbinPeer::set_remote(GstWebRTCSDPType type, const rtc::sdp::Description& remote,
                               std::function<void()> next) {
  auto description = make_description(type, rtc::sdp::print(remote));
  if (!description) {
    end(rtc::CloseReason::kInternal, description.error().message);
    return;
  }
  g_signal_emit_by_name(webrtcbin_.get(), "set-remote-description", description->get(),
                        then([this, next = std::move(next)](const GstStructure*) {
                          remote_set_ = true;
                          next();
                        }).get());
}

void WebrtcbinPeer::set_local(DescriptionPtr description, bool is_offer) {
  g_signal_emit_by_name(webrtcbin_.get(), "set-local-description", description.get(),
                        then([this, is_offer](const GstStructure*) {
                          if (!is_offer) {
                            flush_candidates();
                            watch_activity();
                          }
                          gather_timer_ = main_.after(kGatherLimit, [weak = weak_from_this()] {
                            if (const auto self = weak.lock()) self->deliver_local();
                          });
                          gathered();
                        }).get());
}

void WebrtcbinPeer::gathered() {
  if (!gather_timer_ || stage_ != Stage::kNegotiating) return;
  GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
  g_object_get(webrtcbin_.get(), "ice-gathering-state", &state, nullptr);
  if (state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE) deliver_local();
}

void WebrtcbinPeer::deliver_local() {
  gather_timer_.cancel();
  GstWebRTCSessionDescription* raw = nullptr;
  g_object_get(webrtcbin_.get(), "local-description", &raw, nullptr);
  const DescriptionPtr description(raw);
  Result<rtc::sdp::Description> local =
      description ? rtc::sdp::parse(text_of(description.get()))
                  : fail(ErrorCode::kInternal, "webrtcbin has no local description");
  if (!local) {
    end(rtc::CloseReason::kInternal, local.error().message);
    return;
  }
  const auto complete =
      rtc::sdp::normalise_local(we_offer_ ? *local : rtc::sdp::widen(*local, remote_offer_), plan_);
  local_ = complete;
  if (we_offer_) {
    for (const auto& section : local_.media) {
      if (section.kind != rtc::MediaKind::kData) continue;
      rtc::MediaPlan data;
      data.mid = section.mid();
      data.kind = rtc::MediaKind::kData;
      plan_.push_back(std::move(data));
    }
  }
  stage_ = we_offer_ ? Stage::kOffered : Stage::kDescribed;
  const std::chrono::milliseconds limit =
      we_offer_ ? std::chrono::milliseconds(kAnswerLimit) : options_.connect_deadline;
  deadline_ = main_.after(limit, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->end(rtc::CloseReason::kConnectTimeout, "not connected in time");
    }
  });
  if (auto done = std::exchange(on_sdp_, nullptr)) done(rtc::sdp::print(complete));
  on_state();
}

}  // namespace sotto
