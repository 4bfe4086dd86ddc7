// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/config/config.h"

#include "server/config/schema.h"

#include <gtest/gtest.h>
#include <toml++/toml.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace sotto::server {
namespace {

std::string error_of(const char* toml) {
  const auto config = parse_config(toml);
  return config ? "no error" : config.error().message;
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Config, AnEmptyFileIsAllDefaults) {
  const auto config = parse_config("");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(print_config(*config), print_config(Config{}));
}

TEST(Config, ReadsEveryKind) {
  const auto config = parse_config(R"(
    log_level = "debug"
    demo_camera = false
    [http]
    names = ["cam.example.org", "192.0.2.7"]
    [rtc]
    min_port = 50000
    max_port = 50100
    turn_life_s = 60
    connect_deadline_ms = 2000
    [[rtc.ice_servers]]
    url = "stun:stun.example.org"
    [[cameras]]
    id = "door"
    url = "rtsp://192.0.2.1/x"
    transport = "udp"
    private = true
    [[mountpoints]]
    id = "m"
    [[mountpoints.media]]
    type = "audio"
    port = 5002
  )");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->log_level, "debug");
  EXPECT_FALSE(config->demo_camera);
  EXPECT_EQ(config->http.names, (std::vector<std::string>{"cam.example.org", "192.0.2.7"}));
  EXPECT_EQ(config->rtc.min_port, 50000);
  EXPECT_EQ(config->rtc.turn_life, std::chrono::seconds(60));
  EXPECT_EQ(config->rtc.connect_deadline, std::chrono::seconds(2));
  ASSERT_EQ(config->rtc.ice_servers.size(), 1U);
  ASSERT_EQ(config->cameras.size(), 1U);
  EXPECT_EQ(config->cameras[0].transport, "udp");
  EXPECT_TRUE(config->cameras[0].is_private);
  ASSERT_EQ(config->mountpoints.at(0).media.size(), 1U);
  EXPECT_EQ(config->mountpoints[0].media[0].port, 5002);
}

TEST(Config, NamesKeyAndLineOfAMistake) {
  struct Case {
    const char* toml;
    const char* says;
  };
  for (const auto& [toml, part] : {
           Case{"\n\n[http]\nhttps_listne = \"x\"",
                ":4: http.https_listne is not a key; did you mean https_listen?"},
           Case{"log_level = 3", ":1: log_level must be a text in quotes, but is a whole number"},
           Case{"log_level = \"loud\"", "must be one of: error, warning, info, debug"},
           Case{"[rtc]\nmin_port = 80", ":2: rtc.min_port is 80, but must be from 1024 to 65535"},
           Case{"[rtc]\nmin_port = 1.5", "must be a whole number, but is a fraction"},
           Case{"demo_camera = \"yes\"", "must be true or false"},
           Case{"http = 3", "http must be a [table]"},
           Case{"cameras = 3", "cameras must be [[tables]]"},
           Case{"cameras = [3]", "cameras holds no [[tables]]"},
           Case{"[[cameras]]\nid = \"A b\"", ":2: cameras[].id must be 1 to 64"},
           Case{"[[cameras]]\nurl = \"rtsp://x\"", "needs an id"},
           Case{"[[cameras]]\nid=\"a\"\nurl=\"rtsp://x\"\n[[mounts]]\nid=\"a\"",
                "is taken already"},
           Case{"[[cameras]]\nid=\"a\"\nurl=\"http://x\"", "url starts with rtsp://"},
           Case{"[http]\nhttps_listen = \"8443\"", ":2: http.https_listen = \"8443\" is not an"},
           Case{"[http]\nhttp_listen = \"0.0.0.0:8080\"", "in the clear"},
           Case{"[http]\ncertificate = \"x.pem\"", "belong together"},
           Case{"[http]\nnames = \"x\"", "must be a list of texts"},
           Case{"[http]\ntrusted_proxies = [\"10.0.0.0/99\"]", "neither an address nor a network"},
           Case{"[http]\npage_origins = [\"*\"]", "\"*\" is no origin"},
           Case{"[http]\npage_origins = [\"https://a.example/\"]", "is no origin"},
           Case{"[http]\npage_origins = [\"null\"]", "is no origin"},
           Case{"[rtc]\nmin_port=5000\nmax_port=4000", "larger than rtc.max_port"},
           Case{"[rtc]\nturn_url = \"turn:x\"", "needs rtc.turn_secret"},
           Case{"log_level = \"info\"\nlog_level = \"info\"", ":2:"},
           Case{"not toml", ":1:"},
       }) {
    EXPECT_TRUE(says(error_of(toml), part)) << toml << "\n→ " << error_of(toml);
  }
}

TEST(Config, NamesAllMistakesAtOnceUpToALimit) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "unknown" + std::to_string(i) + " = 1\n";
  const std::string errors = error_of(many.c_str());
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 19);
}

TEST(Config, PrintsNoSecret) {
  auto config = parse_config(R"(
    [rtc]
    turn_url = "turn:x"
    turn_secret = "hunter-a"
    [[rtc.ice_servers]]
    credential = "hunter-b"
    [janus]
    api_secret = "hunter-c"
    token_auth_secret = "hunter-d"
    [[cameras]]
    id = "a"
    url = "rtsp://user:hunter-e@192.0.2.1/x"
    sub_url = "rtsp://user:hunter/f@192.0.2.1/x"
    password = "hunter-g"
    [[mountpoints]]
    id = "m"
    secret = "hunter-h"
    pin = "hunter-i"
  )");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const std::string printed = print_config(*config);
  EXPECT_FALSE(says(printed, "hunter")) << printed;
  EXPECT_TRUE(says(printed, "rtsp://user:…@192.0.2.1/x"));
  EXPECT_TRUE(says(printed, "password = \"…\""));
  EXPECT_TRUE(parse_config(printed).has_value()) << "what we print, we read";
}

// ---- docs/sotto.toml

std::string documentation() {
  const char* root = std::getenv("SOTTO_SOURCE_ROOT");
  std::ifstream file(std::string(root == nullptr ? "." : root) + "/docs/sotto.toml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// With its examples uncommented: the lines that start with # and no space.
std::string with_examples(const std::string& text) {
  std::stringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const bool example = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    out += (example ? line.substr(1) : line) + '\n';
  }
  return out;
}

void collect(const toml::table& table, const std::string& path, std::set<std::string>& keys) {
  for (const auto& [key, node] : table) {
    const std::string name = path + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      collect(*inner, name + '.', keys);
    } else if (const auto* list = node.as_array();
               list != nullptr && !list->empty() && list->get(0)->is_table()) {
      for (const auto& item : *list) collect(*item.as_table(), name + "[].", keys);
    } else {
      keys.insert(name);
    }
  }
}

TEST(ConfigDocumentation, NamesExactlyTheKeysOfTheCode) {
  ASSERT_FALSE(documentation().empty());
  std::set<std::string> documented;
  collect(toml::parse(with_examples(documentation())), "", documented);
  const auto list = config_keys();
  const std::set<std::string> known(list.begin(), list.end());
  for (const auto& key : known) EXPECT_EQ(documented.count(key), 1U) << key << " is not documented";
  for (const auto& key : documented) EXPECT_EQ(known.count(key), 1U) << key << " does not exist";
}

TEST(ConfigDocumentation, GivesTheDefaultsOfTheCode) {
  const auto config = parse_config(documentation());
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(print_config(*config), print_config(Config{}));
}

TEST(ConfigDocumentation, ExamplesAreAcceptedAndGiveDefaultsOfListItems) {
  const auto config = parse_config(with_examples(documentation()));
  ASSERT_TRUE(config.has_value()) << config.error().message;
  ASSERT_EQ(config->cameras.size(), 1U);
  const CameraConfig& shown = config->cameras[0];
  const CameraConfig defaults;
  EXPECT_EQ(shown.transport, defaults.transport);
  EXPECT_EQ(shown.latency, defaults.latency);
  EXPECT_EQ(shown.keep_warm, defaults.keep_warm);
  EXPECT_EQ(shown.verify_tls, defaults.verify_tls);
}

TEST(ConfigDocumentation, ExplainsEveryKeyOfATable) {
  // The line before a key or before the block it belongs to is prose.
  std::stringstream in(documentation());
  bool explained = false;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("# ", 0) == 0) explained = true;
    if (line.empty()) explained = false;
    const bool key = line.find(" = ") != std::string::npos && line[0] != '#';
    EXPECT_TRUE(explained || !key) << line << " has no comment above it";
  }
}

}  // namespace
}  // namespace sotto::server
