// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/peer/receiving.h"

#include <algorithm>
#include <charconv>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(sotto_peer_debug);
#define GST_CAT_DEFAULT sotto_peer_debug

namespace sotto {
namespace {

bool receives(rtc::Direction d) {
  return d == rtc::Direction::kRecvOnly || d == rtc::Direction::kSendRecv;
}

/// Takes frames nobody wants, so that an unexpected pad does not stop its siblings.
class Nobody final : public rtc::FrameReceiver {
 public:
  void on_frame(rtc::FramePtr frame) override { (void)frame; }
};

}  // namespace

Receiving::Slot& Receiving::at(const std::string& mid) {
  auto& slot = slots_[mid];
  if (!slot.gate) slot.gate = std::make_shared<Gate>(guard_);
  return slot;
}

void Receiving::expect(const std::vector<rtc::MediaPlan>& media,
                       const rtc::sdp::Description& remote) {
  const std::lock_guard lock(mutex_);
  for (const auto& plan : media) {
    if (plan.kind == rtc::MediaKind::kData || !receives(plan.direction)) continue;
    auto& slot = at(plan.mid);
    slot.codec = plan.codec;
    const auto index = remote.index_of(plan.mid);
    if (!index) continue;
    for (const auto value : remote.media[*index].values("ssrc")) {
      std::uint32_t ssrc = 0;
      std::from_chars(value.data(), value.data() + value.size(), ssrc);
      slot.ssrcs.insert(ssrc);
    }
  }
}

Receiving::Slot* Receiving::find(std::uint32_t ssrc, int payload_type) {
  for (auto& [mid, slot] : slots_) {
    if (slot.ssrcs.count(ssrc) != 0 && slot.codec.payload_type == payload_type) return &slot;
  }
  Slot* found = nullptr;
  for (auto& [mid, slot] : slots_) {
    if (slot.codec.payload_type != payload_type) continue;
    if (found != nullptr) return nullptr;  // Two sections share the number: only the SSRC tells.
    found = &slot;
  }
  return found;
}

void Receiving::add_pad(GstPad* pad) {
  guint ssrc = 0;
  gint payload_type = -1;
  if (const auto caps = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(pad))) {
    const GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
    gst_structure_get_uint(structure, "ssrc", &ssrc);
    gst_structure_get_int(structure, "payload", &payload_type);
  }
  std::shared_ptr<FrameTap> tap;
  bool keyframe_wanted = false;
  {
    const std::lock_guard lock(mutex_);
    Slot* slot = find(ssrc, payload_type);
    if (slot == nullptr || slot->taps.size() >= kMaxStreamsPerMid) {
      GST_WARNING_OBJECT(pad, "ssrc %u with payload type %d belongs to no agreed section", ssrc,
                         payload_type);
      auto stranger = std::make_unique<FrameTap>(rtc::Codec{}, std::make_shared<Nobody>());
      stranger->link(pad);
      strangers_.push_back(std::move(stranger));
      return;
    }
    slot->ssrcs.insert(ssrc);
    tap = std::make_shared<FrameTap>(slot->codec, slot->gate);
    slot->taps.push_back(tap);
    keyframe_wanted = std::exchange(slot->keyframe_wanted, false);
  }
  tap->link(pad);
  if (keyframe_wanted) tap->request_keyframe();
}

std::string Receiving::mid_of(std::uint32_t ssrc) {
  const std::lock_guard lock(mutex_);
  for (const auto& [mid, slot] : slots_) {
    if (slot.ssrcs.count(ssrc) != 0) return mid;
  }
  return {};
}

void Receiving::set_receiver(const std::string& mid, std::shared_ptr<rtc::FrameReceiver> receiver) {
  std::shared_ptr<Gate> gate;
  {
    const std::lock_guard lock(mutex_);
    gate = at(mid).gate;
  }
  gate->set(std::move(receiver));
}

void Receiving::request_keyframe(const std::string& mid) {
  std::shared_ptr<FrameTap> tap;
  {
    const std::lock_guard lock(mutex_);
    const auto slot = slots_.find(mid);
    if (slot == slots_.end()) return;
    if (slot->second.taps.empty()) {
      slot->second.keyframe_wanted = true;
      return;
    }
    tap = slot->second.taps.back();
  }
  tap->request_keyframe();
}

void Receiving::silence() {
  std::vector<std::shared_ptr<Gate>> gates;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [mid, slot] : slots_) gates.push_back(slot.gate);
  }
  for (const auto& gate : gates) gate->set(nullptr);
}

void Receiving::close() {
  std::map<std::string, Slot> slots;
  std::vector<std::unique_ptr<FrameTap>> strangers;
  {
    const std::lock_guard lock(mutex_);
    slots.swap(slots_);
    strangers.swap(strangers_);
  }
  for (auto& [mid, slot] : slots) {
    for (auto& tap : slot.taps) tap->close();
  }
}

}  // namespace sotto
