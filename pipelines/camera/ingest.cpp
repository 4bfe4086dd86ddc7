// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/ingest.h"

#include "core/rtc/rtp/packet.h"

#include <algorithm>
#include <utility>

namespace sotto::camera {
namespace {

// Some cameras send a keyframe every 10 s at 30 frames a second.
constexpr std::size_t kRingFrames = 600;
constexpr std::size_t kRingBytes = 16U << 20U;
// An encoder may send its first picture before the sets it repeats.
constexpr unsigned kBareKeyframes = 2;
// RFC 3551: sequence numbers of a frame do not matter to us, they are written per viewer.
constexpr std::uint16_t kAnySequence = 0;

bool has_nal_units(rtc::rtp::Format format) {
  return format == rtc::rtp::Format::kH264 || format == rtc::rtp::Format::kH265;
}

std::size_t bytes_of(const rtc::Frame& frame) {
  std::size_t bytes = 0;
  for (const ByteView packet : frame.packets) bytes += packet.size();
  return bytes;
}

}  // namespace

Ingest::Ingest(StreamInfo stream, std::function<void()> changed)
    : stream_(std::move(stream)),
      format_(stream_.codec.kind == rtc::MediaKind::kAudio
                  ? rtc::rtp::Format::kAudio
                  : rtc::rtp::video_format(stream_.codec.name)),
      changed_(std::move(changed)),
      last_frame_(rtc::monotonic_now().count()),
      drift_(stream_.codec.clock_rate) {}

Findings Ingest::findings() const {
  const std::lock_guard lock(mutex_);
  return findings_;
}

rtc::MonotonicTime Ingest::drift() const {
  const std::lock_guard lock(mutex_);
  return drift_.growth();
}

void Ingest::add(std::shared_ptr<rtc::FrameReceiver> receiver) {
  const std::lock_guard lock(mutex_);
  for (const auto& frame : ring_) receiver->on_frame(frame);
  receivers_.push_back(std::move(receiver));
}

void Ingest::remove(const std::shared_ptr<rtc::FrameReceiver>& receiver) {
  const std::lock_guard lock(mutex_);
  std::erase(receivers_, receiver);
}

void Ingest::on_frame(rtc::FramePtr frame) {
  last_frame_ = frame->arrival.count();
  if (frames_++ == 0) first_frame_ = frame->arrival.count();
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    drift_.add(frame->rtp_time, frame->arrival);
    const FrameContent content = look_into(*frame, format_);
    news = inspect(*frame, content);
    // Before the first keyframe of a connection there is nothing to decode.
    if (!started_ && !frame->keyframe) return;
    started_ = true;
    if (frame->keyframe && has_nal_units(format_) && !content.parameter_sets &&
        !stream_.parameter_sets.empty()) {
      frame = with_parameter_sets(std::move(frame));
    }
    remember(frame);
    for (const auto& receiver : receivers_) receiver->on_frame(frame);
  }
  if (news) changed_();
}

// One packet with each set, before the packets of the picture; these stay as they came.
rtc::FramePtr Ingest::with_parameter_sets(rtc::FramePtr frame) const {
  struct Owner {
    std::vector<Bytes> sets;
    rtc::FramePtr rest;
  };
  auto owner = std::make_shared<Owner>();
  const auto header = rtc::rtp::parse(frame->packets.front());
  for (const Bytes& set : stream_.parameter_sets) {
    rtc::rtp::Builder packet;
    packet.payload_type = header ? header->payload_type : 96;
    packet.sequence = kAnySequence;
    packet.timestamp = frame->rtp_time;
    packet.ssrc = header ? header->ssrc : 1;
    packet.payload = set;
    owner->sets.push_back(packet.build());
  }
  owner->rest = frame;
  auto mended = std::make_shared<rtc::Frame>(*frame);
  mended->packets.assign(owner->sets.begin(), owner->sets.end());
  mended->packets.insert(mended->packets.end(), frame->packets.begin(), frame->packets.end());
  mended->owner = std::move(owner);
  return mended;
}

bool Ingest::inspect(const rtc::Frame& frame, const FrameContent& content) {
  const Findings before = findings_;
  if (frame.keyframe) findings_.flowing = true;
  if (has_nal_units(format_)) {
    findings_.reordered =
        reorder_.saw_reordering(frame.rtp_time, content.b_slice, stream_.codec.clock_rate);
    seen_parameter_sets_ = seen_parameter_sets_ || content.parameter_sets;
    if (content.intra && !seen_parameter_sets_ && stream_.parameter_sets.empty()) {
      findings_.no_parameter_sets = ++bare_keyframes_ >= kBareKeyframes;
    } else if (seen_parameter_sets_) {
      findings_.no_parameter_sets = false;
    }
  }
  return before.flowing != findings_.flowing || before.reordered != findings_.reordered ||
         before.no_parameter_sets != findings_.no_parameter_sets;
}

void Ingest::remember(const rtc::FramePtr& frame) {
  // Old sound is of no use to anybody.
  if (stream_.codec.kind == rtc::MediaKind::kAudio) return;
  if (frame->keyframe) {
    ring_.clear();
    ring_bytes_ = 0;
    ring_whole_ = true;
  }
  if (!ring_whole_) return;
  ring_bytes_ += bytes_of(*frame);
  ring_.push_back(frame);
  if (ring_.size() > kRingFrames || ring_bytes_ > kRingBytes) {
    // Too long without a keyframe: who comes now waits for the next one.
    ring_.clear();
    ring_bytes_ = 0;
    ring_whole_ = false;
  }
}

}  // namespace sotto::camera
