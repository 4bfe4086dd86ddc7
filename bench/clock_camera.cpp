// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// An RTSP camera that films a clock: every picture shows the moment it was drawn.
//
// The time, milliseconds since 1970 in 48 bits, is a row of black and white squares along the top
// edge, most significant bit first; the squares are large enough to survive any encoder. Below it
// something moves. bench/pages/clock.html reads it.
//
//   appsrc ! x264enc (no delay, no B-frames) ! rtph264pay      rtsp://127.0.0.1:PORT/clock
#include <CLI/CLI.hpp>
#include <glib-unix.h>
#include <gst/app/gstappsrc.h>
#include <gst/rtsp-server/rtsp-server.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>

namespace {

constexpr int kWidth = 640;
constexpr int kHeight = 360;
constexpr int kFrameRate = 30;
constexpr int kBits = 48;
constexpr int kSquare = 12;  // Pixels; 48 of them fit the width.
constexpr int kRowHeight = 32;
constexpr guint8 kBlack = 16;
constexpr guint8 kWhite = 235;
constexpr guint8 kGrey = 128;

constexpr char kLaunch[] =
    "( appsrc name=clock is-live=true format=time do-timestamp=true block=false "
    "max-buffers=2 leaky-type=downstream "
    "caps=video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=2000 bframes=0 "
    "sliced-threads=false threads=1 ! video/x-h264,profile=constrained-baseline ! "
    "rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency )";

void draw(guint8* luma, std::uint64_t number) {
  const auto now =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  std::memset(luma, kGrey, kWidth * kHeight);
  for (int bit = 0; bit < kBits; ++bit) {
    const bool set = ((now >> (kBits - 1 - bit)) & 1U) != 0;
    for (int y = 0; y < kRowHeight; ++y)
      std::memset(luma + y * kWidth + bit * kSquare, set ? kWhite : kBlack, kSquare);
  }
  const int bar = static_cast<int>(number * 4 % (kWidth - 40));
  for (int y = 120; y < 240; ++y) std::memset(luma + y * kWidth + bar, kWhite, 40);
  const int fill = (kBits * kSquare);
  for (int y = 0; y < kRowHeight; ++y)
    std::memset(luma + y * kWidth + fill, kBlack, static_cast<std::size_t>(kWidth - fill));
}

/// Draws and hands on one picture; the last reference to `source` goes with the timer.
struct Film {
  GstElement* source = nullptr;
  std::uint64_t number = 0;
};

gboolean on_tick(gpointer data) {
  auto* film = static_cast<Film*>(data);
  constexpr gsize kBytes = kWidth * kHeight * 3 / 2;
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, kBytes, nullptr);
  GstMapInfo map;
  if (gst_buffer_map(buffer, &map, GST_MAP_WRITE) != FALSE) {
    std::memset(map.data, kGrey, kBytes);
    draw(map.data, film->number++);
    gst_buffer_unmap(buffer, &map);
  }
  GST_BUFFER_DURATION(buffer) = GST_SECOND / kFrameRate;
  const bool gone = gst_app_src_push_buffer(GST_APP_SRC(film->source), buffer) == GST_FLOW_FLUSHING;
  GstState state = GST_STATE_NULL;
  gst_element_get_state(film->source, &state, nullptr, 0);
  return gone && state == GST_STATE_NULL ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

void on_configure(GstRTSPMediaFactory* factory, GstRTSPMedia* media, gpointer data) {
  (void)factory;
  (void)data;
  GstElement* bin = gst_rtsp_media_get_element(media);
  auto* film = new Film;
  film->source = gst_bin_get_by_name_recurse_up(GST_BIN(bin), "clock");
  gst_object_unref(bin);
  g_timeout_add_full(G_PRIORITY_HIGH, 1000 / kFrameRate, on_tick, film, [](gpointer held) {
    gst_object_unref(static_cast<Film*>(held)->source);
    delete static_cast<Film*>(held);
  });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"An RTSP camera that films a clock, on 127.0.0.1. Prints its address."};
  int port = 0;
  app.add_option("--port", port, "0 takes a free one");
  CLI11_PARSE(app, argc, argv);
  gst_init(nullptr, nullptr);

  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
  GstRTSPServer* server = gst_rtsp_server_new();
  gst_rtsp_server_set_address(server, "127.0.0.1");
  gst_rtsp_server_set_service(server, std::to_string(port).c_str());
  GstRTSPMountPoints* mounts = gst_rtsp_server_get_mount_points(server);
  GstRTSPMediaFactory* factory = gst_rtsp_media_factory_new();
  gst_rtsp_media_factory_set_launch(factory, kLaunch);
  gst_rtsp_media_factory_set_shared(factory, TRUE);
  gst_rtsp_media_factory_set_latency(factory, 0);
  g_signal_connect(factory, "media-configure", G_CALLBACK(on_configure), nullptr);
  gst_rtsp_mount_points_add_factory(mounts, "/clock", factory);
  g_object_unref(mounts);
  const guint source = gst_rtsp_server_attach(server, nullptr);
  if (source == 0) {
    std::cerr << "cannot listen on port " << port << '\n';
    return 1;
  }
  std::cout << "rtsp://127.0.0.1:" << gst_rtsp_server_get_bound_port(server) << "/clock"
            << std::endl;
  for (const int number : {SIGTERM, SIGINT}) {
    g_unix_signal_add(
        number,
        [](gpointer held) -> gboolean {
          g_main_loop_quit(static_cast<GMainLoop*>(held));
          return G_SOURCE_CONTINUE;
        },
        loop);
  }
  g_main_loop_run(loop);
  g_source_remove(source);
  g_object_unref(server);
  g_main_loop_unref(loop);
  return 0;
}
