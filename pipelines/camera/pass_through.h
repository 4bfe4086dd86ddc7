// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A camera's own coded frames on their way to viewers: untouched while its packets are small
// enough for any path, in smaller packets from the first one that is not.
#pragma once

#include "core/rtc/frame.h"
#include "pipelines/camera/rtp_converter.h"
#include "pipelines/camera/stream_info.h"

#include <functional>
#include <memory>

namespace sotto::camera {

class PassThrough final : public rtc::FrameReceiver {
 public:
  /// `on_failed` is called on any thread, at most once.
  PassThrough(StreamInfo stream, std::shared_ptr<rtc::FrameReceiver> out,
              std::function<void(Error)> on_failed);

  void on_frame(rtc::FramePtr frame) override;

 private:
  void start_repacketising();

  const StreamInfo stream_;
  const std::shared_ptr<rtc::FrameReceiver> out_;
  const std::function<void(Error)> on_failed_;
  // Belong to the streaming thread.
  std::shared_ptr<RtpConverter> repacketiser_;
  bool failed_ = false;
};

}  // namespace sotto::camera
