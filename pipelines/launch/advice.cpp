// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/launch/advice.h"

#include <algorithm>
#include <iterator>

namespace sotto {
namespace {

struct Origin {
  std::string_view prefix;  ///< Of the factory's name.
  std::string_view origin;
};

constexpr Origin kOrigins[] = {
    {"v4l2h264", "only there with a V4L2 codec driver, as on a Raspberry Pi 4; use x264enc"},
    {"v4l2", "install gstreamer1.0-plugins-good"},
    {"libcamerasrc", "install gstreamer1.0-libcamera"},
    {"x264enc", "install gstreamer1.0-plugins-ugly"},
    {"openh264", "install gstreamer1.0-plugins-bad"},
    {"avdec_", "install gstreamer1.0-libav"},
    {"avenc_", "install gstreamer1.0-libav"},
    {"nicesrc", "install gstreamer1.0-nice"},
    {"nicesink", "install gstreamer1.0-nice"},
    {"webrtcbin", "install gstreamer1.0-plugins-bad and gstreamer1.0-nice"},
    {"textoverlay", "install gstreamer1.0-x"},
    {"timeoverlay", "install gstreamer1.0-x"},
    {"clockoverlay", "install gstreamer1.0-x"},
    {"ximagesink", "install gstreamer1.0-x"},
    {"xvimagesink", "install gstreamer1.0-x"},
    {"h264parse", "install gstreamer1.0-plugins-bad"},
    {"h265parse", "install gstreamer1.0-plugins-bad"},
    {"rtp", "install gstreamer1.0-plugins-good"},
    {"rtspsrc", "install gstreamer1.0-plugins-good"},
    {"vp8", "install gstreamer1.0-plugins-good"},
    {"vp9", "install gstreamer1.0-plugins-good"},
    {"opus", "install gstreamer1.0-plugins-base"},
    {"whip-sink", "set GST_PLUGIN_PATH to the folder of libgstsotto.so"},
    {"whep-src", "set GST_PLUGIN_PATH to the folder of libgstsotto.so"},
};

}  // namespace

std::string_view origin_of_element(std::string_view factory) {
  const auto found = std::find_if(std::begin(kOrigins), std::end(kOrigins), [&](const auto& o) {
    return factory.substr(0, o.prefix.size()) == o.prefix;
  });
  return found == std::end(kOrigins) ? std::string_view() : found->origin;
}

std::string advice_for(const GError& error, std::string_view factory) {
  if (error.domain == GST_PARSE_ERROR) {
    if (error.code != GST_PARSE_ERROR_NO_SUCH_ELEMENT) return {};
    // The message reads: no element "NAME".
    const std::string_view text = error.message;
    const auto from = text.find('"');
    const auto to = text.rfind('"');
    if (from == std::string_view::npos || to <= from) return {};
    const auto name = text.substr(from + 1, to - from - 1);
    const auto origin = origin_of_element(name);
    return origin.empty() ? "gst-inspect-1.0 lists the elements of this machine"
                          : std::string(origin);
  }
  if (error.domain == GST_RESOURCE_ERROR) {
    switch (error.code) {
      case GST_RESOURCE_ERROR_NOT_FOUND:
        if (factory == "v4l2src") return "no camera there; list them with: ls -l /dev/video*";
        return "check the address, path or device name";
      case GST_RESOURCE_ERROR_NOT_AUTHORIZED:
        return "check the user name, the password or the token file";
      case GST_RESOURCE_ERROR_BUSY: return "another program holds it; end that program first";
      case GST_RESOURCE_ERROR_OPEN_READ:
      case GST_RESOURCE_ERROR_OPEN_WRITE:
      case GST_RESOURCE_ERROR_OPEN_READ_WRITE:
        return "check that the other side runs and that its address and port are right";
      default: return {};
    }
  }
  if (error.domain == GST_STREAM_ERROR && error.code == GST_STREAM_ERROR_CODEC_NOT_FOUND) {
    return "a decoder or encoder is missing; gstreamer1.0-libav has most of them";
  }
  return {};
}

}  // namespace sotto
