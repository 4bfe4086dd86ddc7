// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A small blocking HTTP client for tests, on libsoup. Raw sockets are for tests of broken clients.
#pragma once

#include <libsoup/soup.h>

#include <map>
#include <string>

namespace sotto::test {

struct HttpAnswer {
  int status = 0;  ///< 0: no answer; `body` holds the reason.
  std::string body;
  std::map<std::string, std::string> headers;  ///< Names in lower case.

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

class HttpClient {
 public:
  HttpClient() : session_(soup_session_new()) {
    soup_session_set_timeout(session_, 60);
    soup_session_set_proxy_resolver(session_, nullptr);
  }
  ~HttpClient() { g_object_unref(session_); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sent as Bearer with every request.
  void set_token(std::string token) { token_ = std::move(token); }

  HttpAnswer request(const std::string& method, const std::string& url,
                     const std::string& body = {},
                     const std::map<std::string, std::string>& headers = {}) {
    HttpAnswer answer;
    // Flags keep the path as the test wrote it.
    g_autoptr(GUri) uri = g_uri_parse(
        url.c_str(), static_cast<GUriFlags>(G_URI_FLAGS_ENCODED | G_URI_FLAGS_HAS_PASSWORD),
        nullptr);
    if (uri == nullptr) return answer;
    g_autoptr(SoupMessage) message = soup_message_new_from_uri(method.c_str(), uri);
    g_signal_connect(message, "accept-certificate",
                     G_CALLBACK(+[](SoupMessage*, GTlsCertificate*, GTlsCertificateFlags,
                                    gpointer) -> gboolean { return TRUE; }),
                     nullptr);
    SoupMessageHeaders* out = soup_message_get_request_headers(message);
    if (!token_.empty()) {
      soup_message_headers_replace(out, "Authorization", ("Bearer " + token_).c_str());
    }
    std::string type = "application/json";
    for (const auto& [name, value] : headers) {
      if (g_ascii_strcasecmp(name.c_str(), "Content-Type") == 0) type = value;
      soup_message_headers_replace(out, name.c_str(), value.c_str());
    }
    if (!body.empty()) {
      g_autoptr(GBytes) bytes = g_bytes_new(body.data(), body.size());
      soup_message_set_request_body_from_bytes(message, type.c_str(), bytes);
    }
    g_autoptr(GError) error = nullptr;
    g_autoptr(GBytes) got = soup_session_send_and_read(session_, message, nullptr, &error);
    if (got == nullptr) {
      answer.body = error->message;
      return answer;
    }
    gsize size = 0;
    const auto* data = static_cast<const char*>(g_bytes_get_data(got, &size));
    if (size > 0) answer.body.assign(data, size);
    answer.status = static_cast<int>(soup_message_get_status(message));
    SoupMessageHeadersIter iter;
    soup_message_headers_iter_init(&iter, soup_message_get_response_headers(message));
    const char* name = nullptr;
    const char* value = nullptr;
    while (soup_message_headers_iter_next(&iter, &name, &value) != FALSE) {
      g_autofree char* lower = g_ascii_strdown(name, -1);
      answer.headers[lower] = value;
    }
    return answer;
  }
  HttpAnswer get(const std::string& url) { return request("GET", url); }
  HttpAnswer post(const std::string& url, const std::string& json) {
    return request("POST", url, json);
  }

 private:
  SoupSession* session_;
  std::string token_;
};

}  // namespace sotto::test
