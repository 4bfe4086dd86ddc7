// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The test camera as a program of its own, steered over standard input.
#include "tests/support/rtsp_camera/clips.h"
#include "tests/support/rtsp_camera/rtsp_camera.h"

#include <CLI/CLI.hpp>
#include <gst/gst.h>

#include <algorithm>
#include <iostream>
#include <string>

namespace {

constexpr const char* kHelp =
    "A real RTSP camera for tests. Prints 'ready rtsp://127.0.0.1:PORT' and then reads commands:\n"
    "  stop            cut every connection and close the port\n"
    "  start           listen on the same port again\n"
    "  novideo, video  withhold the pictures, send them again\n"
    "  noaudio, audio  the same for sound\n"
    "  jump MS         move the pictures' RTP timestamps by MS milliseconds\n"
    "  clients         print 'clients NOW EVER'\n"
    "  quit            end (so does the end of the input)\n"
    "Each answers with one line; 'stop' with 'stopped', 'start' with 'started', the rest with "
    "'ok'.\n"
    "\n"
    "Pictures: 320x240, 15 frames a second, eight moving bars above a row of 16 black and white\n"
    "cells. Cells 0-7 are the frame's number (0-159), 8-11 the clip's (h264 1, h264-small 2,\n"
    "h264-b 3, h265 4, vp8 5, vp9 6, h264-high 7, av1 8, h264-full 10, h264-full-small 11), 12 "
    "even parity, 13-15 always 1 0 1. Sound is a\n"
    "440 Hz tone. Clips are encoded at the first use into $SOTTO_BUILD_ROOT/test-clips.";

std::string answer(sotto::test::RtspCamera& camera, const std::string& line) {
  if (line == "stop") {
    camera.stop();
    return "stopped";
  }
  if (line == "start") {
    auto started = camera.resume();
    return started ? "started" : "error " + started.error().message;
  }
  if (line == "novideo" || line == "video") {
    camera.send_video(line == "video");
    return "ok";
  }
  if (line == "noaudio" || line == "audio") {
    camera.send_audio(line == "audio");
    return "ok";
  }
  if (line.starts_with("jump ")) {
    camera.jump_video_time(std::chrono::milliseconds(std::atol(line.c_str() + 5)));
    return "ok";
  }
  if (line == "clients") {
    return "clients " + std::to_string(camera.clients()) + " " +
           std::to_string(camera.clients_ever());
  }
  return "error unknown command";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(kHelp, "sotto-test-camera");
  sotto::test::RtspCameraOptions options;
  std::vector<std::string> paths;
  bool prepare = false;
  bool list = false;
  app.add_option("--port", options.port, "TCP port; 0 takes a free one")->capture_default_str();
  app.add_option("--user", options.user, "Demand this log-in");
  app.add_option("--password", options.password, "and this password (digest)");
  app.add_flag("--basic", options.basic_login, "Basic instead of digest log-in");
  app.add_flag("--tls", options.tls, "rtsps:// with a certificate nobody signed");
  app.add_option("--streams", paths, "Only these paths, e.g. h264,vp8 (default: all)")
      ->delimiter(',');
  app.add_flag("--list", list, "Print the paths and end");
  app.add_flag("--prepare", prepare, "Encode the clips that are missing and end");
  CLI11_PARSE(app, argc, argv);
  gst_init(nullptr, nullptr);

  auto& streams = options.streams;
  if (!paths.empty()) {
    for (const std::string& path : paths) {
      if (std::none_of(streams.begin(), streams.end(),
                       [&](const auto& stream) { return stream.path == "/" + path; })) {
        std::cerr << "no stream /" << path << "; see --list\n";
        return 2;
      }
    }
    std::erase_if(streams, [&](const auto& stream) {
      return std::find(paths.begin(), paths.end(), stream.path.substr(1)) == paths.end();
    });
  }
  if (list) {
    for (const auto& stream : streams) {
      std::cout << stream.path << "\t" << (stream.video.empty() ? "-" : stream.video) << "\t"
                << (stream.audio.empty() ? "-" : stream.audio) << "\n";
    }
    return 0;
  }
  if (prepare) {
    for (const std::string& name : sotto::test::clip_names()) {
      if (auto clip = sotto::test::load_clip(name); !clip) {
        std::cerr << clip.error().message << "\n";
        return 1;
      }
    }
    return 0;
  }
  auto camera = sotto::test::RtspCamera::start(std::move(options));
  if (!camera) {
    std::cerr << camera.error().message << "\n";
    return 1;
  }
  std::cout << "ready " << (*camera)->url("") << std::endl;
  std::string line;
  while (std::getline(std::cin, line) && line != "quit") {
    std::cout << answer(**camera, line) << std::endl;
  }
  return 0;
}
