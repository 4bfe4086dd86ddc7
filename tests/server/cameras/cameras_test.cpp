// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/reaper.h"
#include "server/base/events.h"
#include "server/cameras/settings.h"
#include "server/registry/registry.h"
#include "tests/support/rtsp_camera/rtsp_camera.h"
#include "tests/support/server_fixture.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace sotto::server {
namespace {

using nlohmann::json;
using test::HttpAnswer;

class CamerasTest : public test::ServerFixture {
 protected:
  ~CamerasTest() override {
    stop();
    EXPECT_TRUE(camera::wait_for_reaper(std::chrono::seconds(60)));
  }
  HttpAnswer post(const json& camera) { return http.post(url("/v1/cameras"), camera.dump()); }
  json camera(const std::string& id) {
    return json::parse(http.get(url("/v1/cameras/" + id)).body, nullptr, false);
  }
  std::shared_ptr<rtc::Source> source(const std::string& id) {
    return call([&](Context& context) { return context.registry.find(id); });
  }
};

TEST_F(CamerasTest, AreAddedChangedAndRemoved) {
  start();
  const json door = {
      {"id", "door"},     {"title", "Front door"},        {"url", "rtsp://127.0.0.1:9/x"},
      {"user", "viewer"}, {"password", "battery-staple"}, {"transport", "udp"}};
  const HttpAnswer added = post(door);
  ASSERT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(json::parse(added.body)["state"], "idle");
  EXPECT_EQ(json::parse(added.body)["editable"], true);
  ASSERT_TRUE(source("door"));
  EXPECT_EQ(post(door).status, 409);

  const auto listed = json::parse(http.get(url("/v1/cameras")).body);
  ASSERT_EQ(listed["cameras"].size(), 1U);
  EXPECT_EQ(listed["cameras"][0]["title"], "Front door");

  const HttpAnswer changed =
      http.request("PUT", url("/v1/cameras/door"), json{{"title", "Back door"}}.dump());
  ASSERT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(camera("door")["title"], "Back door");
  EXPECT_EQ(camera("door")["transport"], "udp");
  EXPECT_EQ(camera("door")["has_password"], true) << "what is left out stays";

  EXPECT_EQ(http.request("DELETE", url("/v1/cameras/door")).status, 204);
  EXPECT_EQ(http.request("DELETE", url("/v1/cameras/door")).status, 404);
  EXPECT_FALSE(source("door"));
}

TEST_F(CamerasTest, PasswordsGoInAndNeverComeOut) {
  start();
  ASSERT_EQ(post({{"id", "a"},
                  {"url", "rtsp://127.0.0.1:9/x"},
                  {"user", "u"},
                  {"password", "battery-staple"}})
                .status,
            201);
  const HttpAnswer in_url = post({{"id", "b"}, {"url", "rtsp://u:battery%2Dstaple@127.0.0.1:9/x"}});
  ASSERT_EQ(in_url.status, 201) << in_url.body;
  EXPECT_EQ(json::parse(in_url.body)["url"], "rtsp://127.0.0.1:9/x");
  EXPECT_EQ(json::parse(in_url.body)["user"], "u");
  EXPECT_EQ(json::parse(in_url.body)["has_password"], true);
  for (const char* path : {"/v1/cameras", "/v1/cameras/a", "/v1/cameras/b", "/v1/sources"}) {
    const auto body = http.get(url(path)).body;
    EXPECT_EQ(body.find("staple"), std::string::npos) << path;
  }
  // Nor may another host be told: the password does not follow a changed address.
  const HttpAnswer moved =
      http.request("PUT", url("/v1/cameras/a"), json{{"url", "rtsp://127.0.0.1:10/x"}}.dump());
  EXPECT_EQ(moved.status, 400);
  EXPECT_NE(moved.body.find("password"), std::string::npos);
}

TEST_F(CamerasTest, SurviveARestart) {
  start();
  ASSERT_EQ(post({{"id", "kept"},
                  {"url", "rtsp://127.0.0.1:9/x"},
                  {"user", "u"},
                  {"password", "battery-staple"}})
                .status,
            201);
  const auto number = call([](Context& context) { return context.registry.number_of("kept"); });
  stop();
  start();
  EXPECT_EQ(camera("kept")["url"], "rtsp://127.0.0.1:9/x");
  EXPECT_EQ(camera("kept")["has_password"], true);
  EXPECT_EQ(call([](Context& context) { return context.registry.find("kept")->info().number; }),
            number);
}

TEST_F(CamerasTest, WrongSettingsAreNamed) {
  start();
  const struct {
    json camera;
    const char* names;
  } cases[] = {
      {{{"id", "x"}, {"url", "http://169.254.169.254/latest"}}, "url"},
      {{{"id", "x"}, {"url", "file:///etc/passwd"}}, "url"},
      {{{"id", "x"}, {"url", "rtspt://h/x"}}, "url"},
      {{{"id", "x"}, {"url", "rtsp:///x"}}, "url"},
      {{{"id", "x"}, {"url", "rtsp://h/ x"}}, "url"},
      {{{"id", "x"}, {"url", "rtsp://h/x"}, {"sub_url", "file:///etc/passwd"}}, "url"},
      {{{"id", "X!"}, {"url", "rtsp://h/x"}}, "id"},
      {{{"id", "x"}, {"url", "rtsp://h/x"}, {"transport", "carrier-pigeon"}}, "transport"},
      {{{"id", "x"}, {"url", "rtsps://h/x"}, {"transport", "udp"}}, "transport"},
      {{{"id", "x"}, {"url", "rtsp://h/x"}, {"keep_warm", "yes"}}, "keep_warm"},
      {{{"id", "x"}, {"url", "rtsp://h/x"}, {"colour", "red"}}, "colour"},
      {{{"id", "x"}, {"url", "rtsp://h/x"}, {"latency_ms", 60000}}, "latency_ms"},
      {{{"id", "x"}, {"url", "rtsp://h/x"}, {"title", std::string(1000, 'x')}}, "title"},
  };
  for (const auto& one : cases) {
    const HttpAnswer answer = post(one.camera);
    EXPECT_EQ(answer.status, 400) << one.camera.dump() << answer.body;
    EXPECT_NE(answer.body.find(one.names), std::string::npos) << answer.body;
  }
  EXPECT_EQ(http.post(url("/v1/cameras"), "[]").status, 400);
  EXPECT_EQ(http.post(url("/v1/cameras"), "{").status, 400);
  // Which of the two would count is a matter of the reader.
  constexpr const char* kTwice = R"({"id":"x","url":"rtsp://a/x","url":"rtsp://b/x"})";
  for (const char* path : {"/v1/cameras", "/v1/cameras/test"}) {
    const HttpAnswer twice = http.post(url(path), kTwice);
    EXPECT_EQ(twice.status, 400) << path;
    EXPECT_NE(twice.body.find("twice"), std::string::npos) << path << twice.body;
  }
}

TEST_F(CamerasTest, NeedAdministratorsRights) {
  start();
  http.set_token(token({"stream:*:view"}));
  EXPECT_EQ(http.get(url("/v1/cameras")).status, 403);
  EXPECT_EQ(post({{"id", "x"}, {"url", "demo:"}}).status, 403);
  http.set_token({});
  EXPECT_EQ(http.get(url("/v1/cameras")).status, 401);
  EXPECT_EQ(http.get(url("/v1/sources")).status, 401);
}

TEST_F(CamerasTest, SourcesAreListedAsFarAsOneMayWatchThem) {
  start();
  ASSERT_EQ(post({{"id", "open"}, {"url", "demo:"}}).status, 201);
  ASSERT_EQ(post({{"id", "other"}, {"url", "demo:"}}).status, 201);
  ASSERT_EQ(post({{"id", "secret"}, {"url", "demo:"}, {"private", true}}).status, 201);
  const auto ids = [&](std::vector<std::string> scopes) {
    http.set_token(token(std::move(scopes)));
    std::string joined;
    const auto listed = json::parse(http.get(url("/v1/sources")).body, nullptr, false);
    for (const auto& source : listed["sources"]) joined += source["id"].get<std::string>() + " ";
    return joined;
  };
  EXPECT_EQ(ids({"admin"}), "open other secret ");
  EXPECT_EQ(ids({"stream:*:view"}), "open other ");
  EXPECT_EQ(ids({"stream:other:view"}), "other ");
  EXPECT_EQ(ids({"events:read"}), "");
}

TEST_F(CamerasTest, AReloadTouchesOnlyWhatChanged) {
  CameraConfig one;
  one.id = "one";
  one.url = "demo:";
  CameraConfig two = one;
  two.id = "two";
  CameraConfig three = one;
  three.id = "three";
  config.cameras = {one, two};
  start();
  const auto first = source("one");
  const auto second = source("two");
  ASSERT_TRUE(first);
  EXPECT_EQ(camera("one")["editable"], false);
  EXPECT_EQ(http.request("PUT", url("/v1/cameras/one"), R"({"title":"x"})").status, 409);
  EXPECT_EQ(http.request("DELETE", url("/v1/cameras/one")).status, 409);
  two.title = "Two";
  Config changed = config;
  changed.cameras = {one, two, three};
  call([&](Context&) { return server().reload(changed).has_value(); });
  EXPECT_EQ(source("one"), first) << "its viewers did not notice";
  EXPECT_NE(source("two"), second);
  EXPECT_EQ(camera("two")["title"], "Two");
  EXPECT_TRUE(source("three"));
  changed.cameras = {one};
  call([&](Context&) { return server().reload(changed).has_value(); });
  EXPECT_FALSE(source("three"));
  EXPECT_EQ(source("one"), first);
}

TEST_F(CamerasTest, TestTellsWhatTheCameraSends) {
  auto rtsp = test::RtspCamera::start({});
  ASSERT_TRUE(rtsp) << rtsp.error().message;
  start();
  const auto answer =
      http.post(url("/v1/cameras/test"),
                json{{"id", "t"}, {"title", ""}, {"url", (*rtsp)->url("/h264")}}.dump());
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto tracks = json::parse(answer.body)["tracks"];
  ASSERT_EQ(tracks.size(), 2U) << answer.body;
  EXPECT_EQ(tracks[0]["codec"], "H264");
  EXPECT_EQ(tracks[0]["width"], 320);
  EXPECT_EQ(tracks[0]["height"], 240);
  EXPECT_GT(tracks[0]["fps"], 5);
  EXPECT_EQ(tracks[1]["kind"], "audio");
  EXPECT_TRUE(json::parse(http.get(url("/v1/cameras")).body)["cameras"].empty());
}

TEST_F(CamerasTest, TestTellsWhyItFailed) {
  test::RtspCameraOptions locked;
  locked.user = "viewer";
  locked.password = "right";
  auto rtsp = test::RtspCamera::start(locked);
  ASSERT_TRUE(rtsp) << rtsp.error().message;
  start();
  const auto refused = http.post(
      url("/v1/cameras/test"),
      json{{"url", (*rtsp)->url("/h264")}, {"user", "viewer"}, {"password", "battery-staple"}}
          .dump());
  EXPECT_EQ(refused.status, 502) << refused.body;
  EXPECT_NE(refused.body.find("password"), std::string::npos) << refused.body;
  EXPECT_EQ(refused.body.find("staple"), std::string::npos);
  const std::string nobody = (*rtsp)->url("/h264");
  (*rtsp)->stop();
  const auto silent = http.post(url("/v1/cameras/test"), json{{"url", nobody}}.dump());
  EXPECT_EQ(silent.status, 502) << silent.body;
  EXPECT_NE(silent.body.find("address and port"), std::string::npos) << silent.body;
}

TEST_F(CamerasTest, LiveAndAwayAreTold) {
  auto rtsp = test::RtspCamera::start({});
  ASSERT_TRUE(rtsp) << rtsp.error().message;
  start();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> told;
  auto handle = call([&](Context& context) {
    return context.events.listen([&](const Event& event) {
      if (!event.name.starts_with("source.")) return;
      const std::lock_guard lock(mutex);
      told.push_back(event.name);
      changed.notify_all();
    });
  });
  const auto heard = [&](const std::string& name) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(60), [&] {
      return std::find(told.begin(), told.end(), name) != told.end();
    });
  };
  ASSERT_EQ(post({{"id", "warm"}, {"url", (*rtsp)->url("/h264")}, {"keep_warm", true}}).status,
            201);
  EXPECT_TRUE(heard("source.live"));
  EXPECT_EQ(camera("warm")["state"], "live");
  const auto metrics = http.get(url("/metrics")).body;
  EXPECT_NE(metrics.find("sotto_camera_live{camera=\"warm\"} 1"), std::string::npos) << metrics;
  (*rtsp)->stop();
  EXPECT_TRUE(heard("source.away"));
  EXPECT_FALSE(camera("warm")["reason"].get<std::string>().empty());
  call([&](Context&) {
    handle.reset();
    return true;
  });
  stop();
}

}  // namespace
}  // namespace sotto::server
