// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/connections.h"

#include "server/base/log.h"
#include "server/http/addresses.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <set>

namespace sotto::server {
namespace {

GQuark key() {
  static const GQuark quark = g_quark_from_static_string("sotto-connection");
  return quark;
}

std::string remote_of(GSocket* socket) {
  g_autoptr(GSocketAddress) remote = g_socket_get_remote_address(socket, nullptr);
  if (remote == nullptr || !G_IS_INET_SOCKET_ADDRESS(remote)) return {};
  g_autofree char* text =
      g_inet_address_to_string(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(remote)));
  return plain_address(text);
}

}  // namespace

struct Connections::Book {
  std::map<std::string, std::size_t> per_address;
  std::set<Tracked*> all;
};

class Connections::Tracked : public Connection {
 public:
  Tracked(MainContext& loop, std::shared_ptr<Book> book, GSocket* socket, std::string address,
          bool tls)
      : loop_(loop),
        book_(std::move(book)),
        socket_(socket),
        address_(std::move(address)),
        tls_(tls) {
    ++book_->per_address[address_];
    book_->all.insert(this);
  }
  ~Tracked() override {
    book_->all.erase(this);
    const auto count = book_->per_address.find(address_);
    if (count != book_->per_address.end() && --count->second == 0) {
      book_->per_address.erase(count);
    }
  }
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;

  void expect_within(std::chrono::milliseconds deadline, const char* what) override {
    timer_ = loop_.after(deadline, [this, what] {
      log::debug("http", "a silent connection was ended", {{"address", address_}, {"late", what}});
      cut();
    });
  }
  void expect_nothing() override { timer_.cancel(); }
  void cut() override {
    timer_.cancel();
    // libsoup reads the end of the stream and tidies up by itself.
    g_socket_shutdown(socket_, TRUE, TRUE, nullptr);
  }
  const std::string& address() const override { return address_; }
  bool tls() const override { return tls_; }
  GSocket* socket() const override { return socket_; }
  void set_busy(bool busy) override { busy_ = busy; }
  bool busy() const { return busy_; }

 private:
  MainContext& loop_;
  std::shared_ptr<Book> book_;
  GSocket* socket_;  // Owns us.
  std::string address_;
  bool tls_;
  MainContext::Timer timer_;
  bool busy_ = false;
};

Connections::Connections(MainContext& loop, ConnectionLimits limits)
    : loop_(loop), limits_(limits), book_(std::make_shared<Book>()) {}

Connection* Connections::of(GSocket* socket) {
  return socket == nullptr ? nullptr
                           : static_cast<Tracked*>(g_object_get_qdata(G_OBJECT(socket), key()));
}

Connection* Connections::add(GSocket* socket, bool tls) {
  std::string address = remote_of(socket);
  const auto count = book_->per_address.find(address);
  if (address.empty() || book_->all.size() >= limits_.total ||
      (count != book_->per_address.end() && count->second >= limits_.per_address)) {
    if (!address.empty()) {
      log::warning("http", "too many connections, one was refused", {{"address", address}});
    }
    return nullptr;
  }
  g_socket_set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1, nullptr);
  // What we wrote and the peer never acknowledged: the kernel ends such a connection for us.
  g_socket_set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT,
                      static_cast<gint>(limits_.write_deadline.count()), nullptr);
  auto* made = new Tracked(loop_, book_, socket, std::move(address), tls);
  g_object_set_qdata_full(G_OBJECT(socket), key(), made,
                          [](gpointer data) { delete static_cast<Tracked*>(data); });
  made->expect_within(limits_.header_deadline, "request header");
  return made;
}

std::size_t Connections::count() const { return book_->all.size(); }

std::size_t Connections::busy() const {
  return static_cast<std::size_t>(std::count_if(book_->all.begin(), book_->all.end(),
                                                [](const Tracked* each) { return each->busy(); }));
}

void Connections::cut_idle() {
  const auto all = book_->all;
  for (Tracked* each : all) {
    if (!each->busy()) each->cut();
  }
}

void Connections::cut_all() {
  const auto all = book_->all;
  for (Tracked* each : all) each->cut();
}

}  // namespace sotto::server
