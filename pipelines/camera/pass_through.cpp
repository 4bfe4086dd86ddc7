// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/pass_through.h"

#include "pipelines/camera/inspect.h"

#include <algorithm>
#include <utility>

namespace sotto::camera {

PassThrough::PassThrough(StreamInfo stream, std::shared_ptr<rtc::FrameReceiver> out,
                         std::function<void(Error)> on_failed)
    : stream_(std::move(stream)), out_(std::move(out)), on_failed_(std::move(on_failed)) {}

void PassThrough::on_frame(rtc::FramePtr frame) {
  if (failed_) return;
  const bool fits = std::all_of(frame->packets.begin(), frame->packets.end(),
                                [](ByteView packet) { return packet.size() <= kMaxPacketBytes; });
  if (!fits && !repacketiser_) start_repacketising();
  if (repacketiser_) {
    repacketiser_->on_frame(std::move(frame));
  } else if (!failed_) {
    out_->on_frame(std::move(frame));
  }
}

void PassThrough::start_repacketising() {
  const auto give_up = [this](Error error) {
    failed_ = true;
    if (on_failed_) on_failed_(std::move(error));
  };
  auto recipe = repacketise(stream_.codec);
  if (!recipe) {
    give_up({ErrorCode::kUnsupported, "the camera's " + stream_.codec.name +
                                          " packets are larger than 1200 bytes and this version "
                                          "of GStreamer cannot repacketise that codec; set a "
                                          "smaller packet size in the camera"});
    return;
  }
  auto converter = RtpConverter::create({*recipe, stream_.caps, stream_.codec, out_, on_failed_});
  if (!converter) {
    give_up(converter.error());
    return;
  }
  repacketiser_ = std::move(*converter);
}

}  // namespace sotto::camera
