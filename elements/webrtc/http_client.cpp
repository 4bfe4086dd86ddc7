// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/webrtc/http_client.h"

#include <libsoup/soup.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace sotto {
namespace {

constexpr std::size_t kMaxIceServers = 8;
constexpr unsigned kRemoveTimeoutS = 2;

template <class T>
struct Unref {
  void operator()(T* object) const { g_object_unref(object); }
};
template <class T>
using Ptr = std::unique_ptr<T, Unref<T>>;

struct Reply {
  unsigned status = 0;
  std::string reason;
  std::string body;
  std::string location;
  std::string links;
  std::string content_type;
};

std::string header(SoupMessageHeaders* headers, const char* name) {
  const char* value = soup_message_headers_get_list(headers, name);
  return value == nullptr ? std::string{} : std::string(value);
}

bool same_origin(GUri* a, GUri* b) {
  return g_strcmp0(g_uri_get_scheme(a), g_uri_get_scheme(b)) == 0 &&
         g_strcmp0(g_uri_get_host(a), g_uri_get_host(b)) == 0 &&
         g_uri_get_port(a) == g_uri_get_port(b);
}

/// What a person at the other end of the element can do about a status.
Error explain(const Reply& reply, const std::string& url) {
  const auto status = std::to_string(reply.status) + " " + reply.reason + " from " + url;
  switch (reply.status) {
    case 401:
    case 403:
      return {ErrorCode::kUnauthenticated,
              "the server wants another token (auth-token, auth-token-file): " + status};
    case 404:
    case 410: return {ErrorCode::kNotFound, "no such endpoint; check location: " + status};
    case 400:
    case 406:
    case 415:
    case 422:
      return {ErrorCode::kUnsupported,
              "the server takes none of what was offered; try another "
              "codec: " +
                  status};
    case 409:
      return {
          ErrorCode::kConflict,
          "somebody else is publishing there, or a sealed group takes it sealed only: " + status};
    case 429:
    case 503: return {ErrorCode::kUnavailable, "the server is busy, try later: " + status};
    default: return {ErrorCode::kIo, "unexpected answer: " + status};
  }
}

Error from_gerror(GError* error, const std::string& url) {
  std::string text = error == nullptr ? "unknown error" : error->message;
  Error result{ErrorCode::kIo, "cannot reach " + url + ": " + text};
  if (error != nullptr && error->domain == G_TLS_ERROR) {
    result.message = "the certificate of " + url +
                     " is not trusted (tls-ca-file names another authority): " + text;
  }
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) != FALSE) {
    result.code = ErrorCode::kTimeout;
  }
  g_clear_error(&error);
  return result;
}

std::string trimmed(std::string text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  text.erase(std::find_if_not(text.rbegin(), text.rend(), is_space).base(), text.end());
  return text;
}

/// Splits at `separator` outside of <…> and "…".
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  bool bracketed = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\' && i + 1 < text.size()) {
      parts.back() += text[++i];
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (!quoted && c == '<') bracketed = true;
    if (!quoted && c == '>') bracketed = false;
    if (c == separator && !quoted && !bracketed) {
      parts.emplace_back();
      continue;
    }
    parts.back() += c;
  }
  return parts;
}

std::string unquoted(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '"'), text.end());
  return text;
}

}  // namespace

std::vector<rtc::IceServer> parse_ice_links(const std::string& links) {
  std::vector<rtc::IceServer> servers;
  for (const auto& link : split(links, ',')) {
    const auto fields = split(link, ';');
    const auto target = trimmed(fields.front());
    if (target.size() < 3 || target.front() != '<' || target.back() != '>') continue;
    rtc::IceServer server;
    server.url = target.substr(1, target.size() - 2);
    bool is_ice = false;
    for (std::size_t i = 1; i < fields.size(); ++i) {
      const auto field = trimmed(fields[i]);
      const auto equals = field.find('=');
      if (equals == std::string::npos) continue;
      const auto name = field.substr(0, equals);
      const auto value = unquoted(field.substr(equals + 1));
      if (name == "rel" && value == "ice-server") is_ice = true;
      if (name == "username") server.username = value;
      if (name == "credential") server.credential = value;
    }
    if (is_ice && servers.size() < kMaxIceServers) servers.push_back(std::move(server));
  }
  return servers;
}

struct HttpClient::Impl {
  HttpSettings settings;
  Ptr<GCancellable> cancellable{g_cancellable_new()};
  Ptr<SoupSession> session;

  Result<> open(unsigned timeout_s);
  Result<Reply> call(const char* method, std::string url, const std::string* body,
                     GCancellable* cancel);
};

Result<> HttpClient::Impl::open(unsigned timeout_s) {
  session.reset(soup_session_new());
  soup_session_set_timeout(session.get(), timeout_s);
  soup_session_set_user_agent(session.get(), "sotto/" SOTTO_VERSION);
  if (settings.ca_file.empty()) return {};
  GError* error = nullptr;
  GTlsDatabase* database = g_tls_file_database_new(settings.ca_file.c_str(), &error);
  if (database == nullptr) {
    std::string text = error == nullptr ? "" : error->message;
    g_clear_error(&error);
    return fail(ErrorCode::kNotFound, "tls-ca-file cannot be used: " + text);
  }
  soup_session_set_tls_database(session.get(), database);
  g_object_unref(database);
  return {};
}

Result<Reply> HttpClient::Impl::call(const char* method, std::string url, const std::string* body,
                                     GCancellable* cancel) {
  if (!session) {
    if (auto opened = open(settings.timeout_s); !opened)
      return tl::unexpected<Error>(opened.error());
  }
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    const Ptr<SoupMessage> message(soup_message_new(method, url.c_str()));
    if (!message) return fail(ErrorCode::kInvalid, "location is not an http or https URL: " + url);
    // RFC 9725, 4.5: 307 keeps the method; libsoup does not follow it for a POST.
    soup_message_add_flags(message.get(), SOUP_MESSAGE_NO_REDIRECT);
    auto* headers = soup_message_get_request_headers(message.get());
    if (!settings.token.empty()) {
      soup_message_headers_replace(headers, "Authorization", ("Bearer " + settings.token).c_str());
    }
    if (body != nullptr) {
      GBytes* bytes = g_bytes_new(body->data(), body->size());
      soup_message_set_request_body_from_bytes(message.get(), "application/sdp", bytes);
      g_bytes_unref(bytes);
      soup_message_headers_replace(headers, "Accept", "application/sdp");
    }
    if (!settings.validate_tls) {
      g_signal_connect(message.get(), "accept-certificate",
                       G_CALLBACK(+[](SoupMessage*, GTlsCertificate*, GTlsCertificateFlags,
                                      gpointer) -> gboolean { return TRUE; }),
                       nullptr);
    }
    GError* error = nullptr;
    const Ptr<GInputStream> stream(soup_session_send(session.get(), message.get(), cancel, &error));
    if (!stream) return tl::unexpected<Error>(from_gerror(error, url));
    Reply reply;
    reply.status = soup_message_get_status(message.get());
    const char* reason = soup_message_get_reason_phrase(message.get());
    reply.reason = reason == nullptr ? "" : reason;
    auto* answered = soup_message_get_response_headers(message.get());
    reply.location = header(answered, "Location");
    reply.links = header(answered, "Link");
    reply.content_type = header(answered, "Content-Type");
    reply.body.resize(kMaxAnswerBytes + 1);
    gsize size = 0;
    if (g_input_stream_read_all(stream.get(), reply.body.data(), reply.body.size(), &size, cancel,
                                &error) == FALSE) {
      return tl::unexpected<Error>(from_gerror(error, url));
    }
    if (size > kMaxAnswerBytes) return fail(ErrorCode::kTooLarge, "answer too long from " + url);
    reply.body.resize(size);

    GUri* from = soup_message_get_uri(message.get());
    g_autoptr(GUri) target = nullptr;
    if (!reply.location.empty()) {
      target = g_uri_parse_relative(from, reply.location.c_str(),
                                    static_cast<GUriFlags>(SOUP_HTTP_URI_FLAGS), nullptr);
      if (target == nullptr) return fail(ErrorCode::kParse, "bad Location from " + url);
      g_autofree gchar* absolute = g_uri_to_string(target);
      reply.location = absolute;
    }
    if (reply.status != 307 && reply.status != 308) return reply;
    if (target == nullptr) return fail(ErrorCode::kParse, "redirect without Location from " + url);
    // A token is not carried to another place in clear text.
    if (!same_origin(from, target) && g_strcmp0(g_uri_get_scheme(target), "https") != 0) {
      return fail(ErrorCode::kDenied,
                  "redirect to another server without https: " + reply.location);
    }
    url = reply.location;
  }
  return fail(ErrorCode::kConflict, "too many redirects from " + settings.location);
}

HttpClient::HttpClient(HttpSettings settings) : impl_(std::make_unique<Impl>()) {
  impl_->settings = std::move(settings);
}

HttpClient::~HttpClient() = default;

std::vector<rtc::IceServer> HttpClient::ice_servers() {
  const auto reply =
      impl_->call("OPTIONS", impl_->settings.location, nullptr, impl_->cancellable.get());
  if (!reply || reply->status / 100 != 2) return {};  // A courtesy of the server, no duty.
  return parse_ice_links(reply->links);
}

Result<std::string> HttpClient::post(const std::string& offer) {
  const auto& url = impl_->settings.location;
  auto reply = impl_->call("POST", url, &offer, impl_->cancellable.get());
  if (!reply) return tl::unexpected<Error>(reply.error());
  if (reply->status != 201) return tl::unexpected<Error>(explain(*reply, url));
  if (reply->location.empty()) {
    return fail(ErrorCode::kParse, "the answer names no session (Location) from " + url);
  }
  session_url_ = reply->location;
  if (reply->content_type.rfind("application/sdp", 0) != 0) {
    return fail(ErrorCode::kParse, "the answer is no application/sdp from " + url);
  }
  return std::move(reply->body);
}

void HttpClient::remove() {
  if (session_url_.empty()) return;
  const auto url = std::exchange(session_url_, {});
  if (!impl_->open(kRemoveTimeoutS)) return;
  (void)impl_->call("DELETE", url, nullptr, nullptr);
}

void HttpClient::cancel() { g_cancellable_cancel(impl_->cancellable.get()); }

}  // namespace sotto
