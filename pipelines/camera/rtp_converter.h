// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A pipeline with RTP frames at both ends: repacketising, transcoding pictures, sound to Opus.
//
//   on_frame ──► appsrc ! depay ! decoder ! encoder ! pay ! fakesink ──► FrameTap ──► receiver
//                  └ bounded: what does not fit is lost up to the next keyframe
#pragma once

#include "core/base/error.h"
#include "core/rtc/frame.h"
#include "elements/glue/gst_ptr.h"
#include "pipelines/camera/recipes.h"

#include <functional>
#include <memory>
#include <optional>

namespace sotto::camera {

class RtpConverter final : public rtc::FrameReceiver {
 public:
  struct Params {
    Recipe recipe;
    GstPtr<GstCaps> caps;  ///< Of the RTP that comes in.
    rtc::Codec from;
    std::shared_ptr<rtc::FrameReceiver> out;  ///< Called on the converter's streaming thread.
    std::function<void(Error)> on_failed;     ///< Once, on any thread; may be empty.
  };
  static Result<std::shared_ptr<RtpConverter>> create(Params params);
  /// Returns at once; the pipeline is stopped elsewhere. `out` may get one more frame meanwhile.
  ~RtpConverter() override;

  /// From one thread at a time. Never waits.
  void on_frame(rtc::FramePtr frame) override;
  /// Size of the pictures that come in, once it is known. Thread safe.
  struct Size {
    int width = 0;
    int height = 0;
  };
  std::optional<Size> picture_size() const;
  /// Of what it makes. Thread safe.
  void request_keyframe();

  struct State;
  explicit RtpConverter(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

}  // namespace sotto::camera
