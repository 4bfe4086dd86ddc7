// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/pages/feature.h"

#include "core/base/bytes.h"
#include "server/base/files.h"
#include "server/config/config.h"
#include "server/http/fields.h"
#include "server/http/router.h"
#include "server/pages/embedded.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

namespace sotto::server {
namespace {

constexpr std::size_t kMaxFileBytes = 16U << 20U;

struct Page {
  std::string content;
  std::string etag;
};

std::string_view type_of(std::string_view path) {
  struct Type {
    std::string_view suffix;
    std::string_view type;
  };
  constexpr std::array<Type, 11> kTypes = {{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".webmanifest", "application/manifest+json"},
      {".json", "application/json"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
  }};
  for (const auto& [suffix, type] : kTypes) {
    if (path.size() > suffix.size() && path.substr(path.size() - suffix.size()) == suffix) {
      return type;
    }
  }
  return {};
}

std::optional<Page> embedded(std::string_view path) {
  const auto files = embedded_files();
  const auto found = std::lower_bound(
      files.begin(), files.end(), path,
      [](const EmbeddedFile& file, std::string_view wanted) { return file.path < wanted; });
  if (found == files.end() || found->path != path) return std::nullopt;
  return Page{std::string(found->content), std::string(found->etag)};
}

/// A file below `root`. The path has no dot segments; a link that leads out is not followed.
std::optional<Page> from_disk(const std::filesystem::path& root, const std::string& path) {
  std::error_code error;
  const auto real_root = std::filesystem::canonical(root, error);
  if (error) return std::nullopt;
  const auto real = std::filesystem::canonical(real_root / path, error);
  if (error) return std::nullopt;
  const auto [end, ignored] =
      std::mismatch(real_root.begin(), real_root.end(), real.begin(), real.end());
  if (end != real_root.end()) return std::nullopt;
  auto content = read_small_file(real, kMaxFileBytes);
  if (!content) return std::nullopt;
  Bytes hash(16);
  crypto_generichash(hash.data(), hash.size(),
                     reinterpret_cast<const unsigned char*>(content->data()), content->size(),
                     nullptr, 0);
  return Page{*std::move(content), to_hex(hash)};
}

/// The policy of a page: its import map is the one script that stands in the page itself.
std::string policy_of(std::string_view page) {
  constexpr std::string_view kOpen = "<script type=\"importmap\">";
  std::string policy(kContentSecurityPolicy);
  const auto open = page.find(kOpen);
  const auto close = page.find("</script>", open);
  if (open == std::string_view::npos || close == std::string_view::npos) return policy;
  const std::string_view map = page.substr(open + kOpen.size(), close - open - kOpen.size());
  std::array<std::uint8_t, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(map.data()), map.size());
  return policy + "; script-src 'self' 'sha256-" + to_base64(hash) + "'";
}

}  // namespace

PagesFeature::PagesFeature(Context& context) {
  const auto serve = [&config = context.config](const ExchangePtr& exchange) {
    const HttpRequest& request = exchange->request();
    std::string path = request.params.at("path");
    if (path.empty()) path = "index.html";
    // Hidden files are nobody's business, and what has no type here is not a page.
    const bool hidden = path.front() == '.' || path.find("/.") != std::string::npos;
    const std::string_view type = type_of(path);
    std::optional<Page> page;
    if (!hidden && !type.empty()) {
      page = config.http.web_root.empty() ? embedded(path) : from_disk(config.http.web_root, path);
    }
    if (!page) {
      exchange->respond(problem({ErrorCode::kNotFound, "there is nothing at this path"}));
      return;
    }
    const std::string etag = '"' + page->etag + '"';
    HttpResponse response{.status = 200,
                          .content_type = std::string(type),
                          .body = std::move(page->content),
                          .headers = {{"ETag", etag}, {"Cache-Control", "no-cache"}}};
    if (type.rfind("text/html", 0) == 0) {
      response.headers.emplace("Content-Security-Policy", policy_of(response.body));
    }
    if (request.header("If-None-Match").find(etag) != std::string_view::npos) {
      response.status = 304;
      response.body.clear();
    }
    exchange->respond(std::move(response));
  };
  context.router.add(Listener::kMain, "GET", "/{path...}", Access::open(), {}, serve);
}

}  // namespace sotto::server
