// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The configuration file, read strictly: what we do not know is an error that says where.
#include "server/base/files.h"
#include "server/config/schema.h"
#include "server/http/addresses.h"

#include <toml++/toml.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace sotto::server {
namespace {

constexpr std::size_t kMaxFileBytes = 4U << 20U;
constexpr std::size_t kMaxErrors = 20;
constexpr std::size_t kMaxListItems = 10'000;

/// How many letters have to change to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, above + 1, diagonal + (a[i] == b[j] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
}

bool valid_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

const char* name_of(toml::node_type type) {
  switch (type) {
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "a whole number";
    case toml::node_type::floating_point: return "a fraction";
    case toml::node_type::boolean: return "true or false";
    case toml::node_type::array: return "a list";
    case toml::node_type::table: return "a table";
    default: return "something else";
  }
}

class Reader : public ConfigVisitor {
 public:
  Reader(const toml::table& root, std::string file) : file_(std::move(file)) {
    levels_.push_back({&root, "", {}, false});
  }

  void text(const char* key, std::string& value, const TextRule& rule) override {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto* text = node->as_string();
    if (text == nullptr) return wrong_type(*node, key, "a text in quotes");
    value = text->get();
    if (value.find('\0') != std::string::npos) error(*node, key, "holds a zero byte");
    if (!rule.one_of.empty() &&
        std::find(rule.one_of.begin(), rule.one_of.end(), value) == rule.one_of.end()) {
      std::string all;
      for (const auto word : rule.one_of) all += (all.empty() ? "" : ", ") + std::string(word);
      error(*node, key, "is \"" + value + "\", but must be one of: " + all);
    }
    if (rule.kind == TextRule::Kind::kListen && !value.empty()) {
      if (const auto parsed = parse_listen(value); !parsed) {
        error(*node, key, "= " + parsed.error().message);
      }
    }
    if (rule.kind == TextRule::Kind::kId && !valid_id(value)) {
      error(*node, key, "must be 1 to 64 of a-z, 0-9 and '-'");
    }
  }

  void texts(const char* key, std::vector<std::string>& values) override {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto* list = node->as_array();
    if (list == nullptr) return wrong_type(*node, key, "a list of texts");
    values.clear();
    for (const auto& item : *list) {
      const auto* text = item.as_string();
      if (text == nullptr) return wrong_type(item, key, "a list of texts");
      values.push_back(text->get());
    }
  }

  void flag(const char* key, bool& value) override {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto* flag = node->as_boolean();
    if (flag == nullptr) return wrong_type(*node, key, "true or false");
    value = flag->get();
  }

  void number(const char* key, std::int64_t& value, std::int64_t min, std::int64_t max) override {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto* number = node->as_integer();
    if (number == nullptr) return wrong_type(*node, key, "a whole number");
    if (number->get() < min || number->get() > max) {
      error(*node, key,
            "is " + std::to_string(number->get()) + ", but must be from " + std::to_string(min) +
                " to " + std::to_string(max));
      return;
    }
    value = number->get();
  }

  void enter(const char* key) override {
    const toml::node* node = take(key);
    const auto* table = node == nullptr ? nullptr : node->as_table();
    if (node != nullptr && table == nullptr) wrong_type(*node, key, "a [table]");
    levels_.push_back({table, levels_.back().path + key + '.', {}, false});
  }
  void leave() override {
    complain_of_unknown();
    levels_.pop_back();
  }

  std::size_t enter_list(const char* key, std::size_t) override {
    const toml::node* node = take(key);
    const auto* list = node == nullptr ? nullptr : node->as_array();
    if (node != nullptr && list == nullptr) wrong_type(*node, key, "[[tables]]");
    if (list != nullptr && list->size() > kMaxListItems) {
      error(*node, key, "has more than " + std::to_string(kMaxListItems) + " entries");
      list = nullptr;
    }
    lists_.push_back({list, levels_.back().path + key});
    return list == nullptr ? 0 : list->size();
  }
  void enter_item(std::size_t index) override {
    const auto& [list, path] = lists_.back();
    const toml::node& node = *list->get(index);
    const auto* table = node.as_table();
    if (table == nullptr) add(node.source().begin.line, path + " holds no [[tables]]");
    levels_.push_back({table, path + "[].", {}, true});
  }
  void leave_item() override { leave(); }
  void leave_list() override { lists_.pop_back(); }

  /// After everything was visited.
  void finish() { complain_of_unknown(); }
  void add(std::size_t line, const std::string& what) {
    if (++errors_ > kMaxErrors) return;
    text_ += (text_.empty() ? "" : "\n") + file_ + (line > 0 ? ':' + std::to_string(line) : "") +
             ": " + what;
  }
  const std::string& errors() const { return text_; }

 private:
  struct Level {
    const toml::table* table;  // Null: not in the file.
    std::string path;
    std::set<std::string, std::less<>> known;
    bool item;
  };

  const toml::node* take(const char* key) {
    Level& level = levels_.back();
    level.known.insert(key);
    return level.table == nullptr ? nullptr : level.table->get(key);
  }
  void error(const toml::node& node, const char* key, const std::string& what) {
    add(node.source().begin.line, levels_.back().path + key + ' ' + what);
  }
  void wrong_type(const toml::node& node, const char* key, const char* wanted) {
    error(node, key, std::string("must be ") + wanted + ", but is " + name_of(node.type()));
  }
  void complain_of_unknown() {
    const Level& level = levels_.back();
    if (level.table == nullptr) return;
    for (const auto& [key, node] : *level.table) {
      const std::string_view name = key.str();
      if (level.known.find(name) != level.known.end()) continue;
      std::string what = level.path + std::string(name) + " is not a key";
      const auto nearest = std::min_element(
          level.known.begin(), level.known.end(),
          [name](const auto& a, const auto& b) { return distance(a, name) < distance(b, name); });
      if (nearest != level.known.end() && distance(*nearest, name) <= 1 + name.size() / 3) {
        what += "; did you mean " + *nearest + '?';
      }
      add(key.source().begin.line, what);
    }
  }

  std::string file_;
  std::string text_;
  std::size_t errors_ = 0;
  std::vector<Level> levels_;
  std::vector<std::pair<const toml::array*, std::string>> lists_;
};

template <class Item>
void check_ids(const std::vector<Item>& items, const char* list, std::set<std::string>& taken,
               Reader& reader) {
  for (const auto& item : items) {
    if (item.id.empty()) {
      reader.add(0, std::string("every entry of ") + list + " needs an id");
    } else if (!taken.insert(item.id).second) {
      reader.add(0, std::string(list) + ": the id " + item.id + " is taken already");
    }
  }
}

/// As browsers write one: no path, no capitals, and neither "*" nor "null", which name anybody.
bool is_origin(std::string_view text) {
  const std::size_t host = text.rfind("https://", 0) == 0  ? 8
                           : text.rfind("http://", 0) == 0 ? 7
                                                           : text.size();
  return host < text.size() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-:[]",
                                                      host) == std::string_view::npos;
}

/// What concerns more than one key.
void check_whole(const Config& config, Reader& reader) {
  if (config.rtc.min_port > config.rtc.max_port) {
    reader.add(0, "rtc.min_port is larger than rtc.max_port");
  }
  if (config.http.certificate.empty() != config.http.key.empty()) {
    reader.add(0, "http.certificate and http.key belong together: give both or none");
  }
  if (!config.rtc.turn_url.empty() && config.rtc.turn_secret.empty()) {
    reader.add(0, "rtc.turn_url needs rtc.turn_secret, coturn's static-auth-secret");
  }
  if (config.janus.base_path.empty() || config.janus.base_path.front() != '/') {
    reader.add(0, "janus.base_path starts with /");
  }
  if (config.admin_name.empty() || config.admin_name.size() > 64) {
    reader.add(0, "admin_name has 1 to 64 bytes");
  }
  if (const auto where = parse_listen(config.http.http_listen);
      !config.http.http_listen.empty() && where && !is_loopback(where->host)) {
    reader.add(0, "http.http_listen = \"" + config.http.http_listen +
                      "\" would send passwords and tokens in the clear, and browsers give no "
                      "camera to such pages: use 127.0.0.1 there, and https_listen for others");
  }
  if (const auto proxies = TrustedProxies::parse(config.http.trusted_proxies); !proxies) {
    reader.add(0, "http.trusted_proxies: " + proxies.error().message);
  }
  for (const auto& origin : config.http.page_origins) {
    if (!is_origin(origin)) {
      reader.add(0, "http.page_origins: \"" + origin +
                        "\" is no origin; write it as in https://pages.example.org");
    }
  }
  std::set<std::string> taken;
  check_ids(config.cameras, "cameras", taken, reader);
  check_ids(config.mounts, "mounts", taken, reader);
  check_ids(config.mountpoints, "mountpoints", taken, reader);
  std::set<std::string> groups;  // Not sources: names of their own.
  check_ids(config.groups, "groups", groups, reader);
  for (const auto& camera : config.cameras) {
    const bool known = camera.url.rfind("rtsp://", 0) == 0 ||
                       camera.url.rfind("rtsps://", 0) == 0 || camera.url == "demo:";
    if (!known) {
      reader.add(0, "camera " + camera.id + ": url starts with rtsp:// or rtsps://, or is demo:");
    }
  }
}

Result<Config> parse(std::string_view text, const std::string& file) {
  try {
    const toml::table root = toml::parse(text, std::string_view(file));
    Config config;
    Reader reader(root, file);
    describe(config, reader);
    reader.finish();
    if (reader.errors().empty()) check_whole(config, reader);
    if (!reader.errors().empty()) return fail(ErrorCode::kInvalid, reader.errors());
    return config;
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kParse, file + ':' + std::to_string(error.source().begin.line) + ": " +
                                       std::string(error.description()));
  }
}

}  // namespace

Result<Config> load_config(const std::filesystem::path& file) {
  const auto text = read_small_file(file, kMaxFileBytes);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, file.string());
}

Result<Config> parse_config(std::string_view toml) { return parse(toml, "configuration"); }

}  // namespace sotto::server
