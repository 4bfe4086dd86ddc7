// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One request being answered, on libsoup.
#pragma once

#include "elements/glue/main_context.h"
#include "server/http/router.h"

#include <libsoup/soup.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace sotto::server {

class SoupExchange : public Exchange {
 public:
  using Answer = std::function<void(SoupServerMessage*, HttpResponse)>;

  /// Pauses `message` until respond(). `answer` writes the response into the message.
  SoupExchange(MainContext& loop, SoupServerMessage* message, GSocket* socket, HttpRequest request,
               Answer answer);
  ~SoupExchange() override;

  const HttpRequest& request() const override { return request_; }
  void respond(HttpResponse response) override;
  void on_abort(std::function<void()> aborted) override;

 private:
  void watch();
  void look();
  void gone();

  MainContext& loop_;
  SoupServerMessage* message_;
  GSocket* socket_;
  HttpRequest request_;
  Answer answer_;
  std::vector<std::function<void()>> aborted_;
  GSource* watch_ = nullptr;
  MainContext::Timer look_again_;
  gulong finished_ = 0;
  bool open_ = true;
};

}  // namespace sotto::server
