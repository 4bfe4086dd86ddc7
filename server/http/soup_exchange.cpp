// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/soup_exchange.h"

#include <poll.h>

namespace sotto::server {
namespace {

/// How soon we look again whether a client that already sent its next request is still there.
constexpr std::chrono::milliseconds kLookAgain{1000};

}  // namespace

SoupExchange::SoupExchange(MainContext& loop, SoupServerMessage* message, GSocket* socket,
                           HttpRequest request, Answer answer)
    : loop_(loop),
      message_(SOUP_SERVER_MESSAGE(g_object_ref(message))),
      socket_(G_SOCKET(g_object_ref(socket))),
      request_(std::move(request)),
      answer_(std::move(answer)) {
  soup_server_message_pause(message_);
  finished_ =
      g_signal_connect(message_, "finished", G_CALLBACK(+[](SoupServerMessage*, gpointer self) {
                         static_cast<SoupExchange*>(self)->gone();
                       }),
                       this);
}

SoupExchange::~SoupExchange() {
  if (open_) {
    aborted_.clear();
    respond(problem({ErrorCode::kInternal, "the request was dropped unanswered"}));
  }
  g_object_unref(message_);
  g_object_unref(socket_);
}

void SoupExchange::respond(HttpResponse response) {
  if (!open_) return;
  open_ = false;
  if (watch_ != nullptr) {
    g_source_destroy(watch_);
    g_source_unref(watch_);
    watch_ = nullptr;
  }
  look_again_.cancel();
  g_signal_handler_disconnect(message_, finished_);
  answer_(message_, std::move(response));
  aborted_.clear();
  soup_server_message_unpause(message_);
}

void SoupExchange::on_abort(std::function<void()> aborted) {
  if (!open_) return;
  aborted_.push_back(std::move(aborted));
  // A paused message reads nothing, so libsoup does not see the client leave. We look ourselves,
  // and only for those who asked.
  if (watch_ == nullptr) watch();
}

void SoupExchange::watch() {
  watch_ = g_socket_create_source(socket_, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR),
                                  nullptr);
  g_source_set_callback(watch_,
                        G_SOURCE_FUNC(+[](GSocket*, GIOCondition, gpointer self) -> gboolean {
                          static_cast<SoupExchange*>(self)->look();
                          return G_SOURCE_REMOVE;
                        }),
                        this, nullptr);
  g_source_attach(watch_, loop_.raw());
}

void SoupExchange::look() {
  if (watch_ != nullptr) g_source_unref(std::exchange(watch_, nullptr));
  pollfd fd{.fd = g_socket_get_fd(socket_), .events = POLLRDHUP};
  const bool left = g_socket_is_closed(socket_) != FALSE ||
                    (::poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
  if (!left) {
    look_again_ = loop_.after(kLookAgain, [this] { watch(); });
    return;
  }
  g_socket_shutdown(socket_, TRUE, TRUE, nullptr);
  // Resumed, libsoup finds the connection broken and ends the message: then gone() runs.
  soup_server_message_unpause(message_);
}

void SoupExchange::gone() {
  if (!open_) return;
  open_ = false;
  if (watch_ != nullptr) {
    g_source_destroy(watch_);
    g_source_unref(std::exchange(watch_, nullptr));
  }
  look_again_.cancel();
  g_signal_handler_disconnect(message_, finished_);
  // The handlers may drop the last reference to us.
  const auto handlers = std::exchange(aborted_, {});
  for (const auto& handler : handlers) handler();
}

}  // namespace sotto::server
