// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/options.h"

#include "pipelines/publish/direct/signal_client.h"

namespace sotto {

Result<> set_publish_input(PublishOptions& options, std::string_view input) {
  const auto starts = [&](std::string_view prefix) {
    return input.substr(0, prefix.size()) == prefix;
  };
  if (input.empty()) {
    return fail(ErrorCode::kInvalid, "publish what? test, camera, a file or an rtsp:// address");
  }
  options.place.clear();
  if (input == "test") {
    options.input = PublishInput::kTest;
  } else if (input == "camera") {
    options.input = PublishInput::kCamera;
  } else if (starts("camera:")) {
    options.input = PublishInput::kCamera;
    options.place = input.substr(7);
  } else if (starts("/dev/video")) {
    options.input = PublishInput::kCamera;
    options.place = input;
  } else if (starts("rtsp://") || starts("rtsps://")) {
    options.input = PublishInput::kRtsp;
    options.place = input;
  } else if (input.find("://") != std::string_view::npos) {
    return fail(ErrorCode::kUnsupported, "only rtsp:// and rtsps:// addresses can be published");
  } else {
    options.input = PublishInput::kFile;
    options.place = input;
  }
  return {};
}

Result<> check_publish_options(const PublishOptions& options) {
  const auto starts = [&](std::string_view prefix) {
    return options.location.compare(0, prefix.size(), prefix) == 0;
  };
  if (options.location.empty()) {
    return fail(ErrorCode::kInvalid,
                "publish where? give the server's WHIP address with --to, for example "
                "https://server:8443/whip/porch");
  }
  if (!starts("http://") && !starts("https://")) {
    return fail(ErrorCode::kInvalid, "a WHIP address begins with https:// or http://");
  }
  if (options.direct) {
    if (auto address = signal_address(options.location); !address) {
      return tl::unexpected(address.error());
    }
    if (options.max_viewers > kMaxDirectViewers) {
      return fail(ErrorCode::kInvalid,
                  "--max-viewers goes to " + std::to_string(kMaxDirectViewers));
    }
  }
  if (options.width < 16 || options.height < 16 || options.width > kMaxPublishSide ||
      options.height > kMaxPublishSide || options.width % 2 != 0 || options.height % 2 != 0) {
    return fail(ErrorCode::kInvalid, "a picture is WIDTHxHEIGHT, even numbers from 16 to " +
                                         std::to_string(kMaxPublishSide));
  }
  if (options.fps == 0 || options.fps > kMaxPublishFps) {
    return fail(ErrorCode::kInvalid, "--fps goes from 1 to " + std::to_string(kMaxPublishFps));
  }
  if (options.kilobits < 50 || options.kilobits > kMaxPublishKilobits) {
    return fail(ErrorCode::kInvalid,
                "--bitrate goes from 50 to " + std::to_string(kMaxPublishKilobits) + " kbit/s");
  }
  return {};
}

}  // namespace sotto
