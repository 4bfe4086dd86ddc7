// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/server/routes_fixture.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>

namespace sotto::server {
namespace {

using namespace std::chrono_literals;
using test::RawClient;

/// Speaks RFC 6455 by hand, so that it can also break it.
class SocketClient {
 public:
  explicit SocketClient(const std::string& url) : raw_(url) {}

  /// The answer to the handshake.
  std::string open(const std::string& path, const std::string& protocols = {},
                   const std::string& more = {}) {
    raw_.send("GET " + path +
              " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
              (protocols.empty() ? "" : "Sec-WebSocket-Protocol: " + protocols + "\r\n") + more +
              "\r\n");
    std::string got = raw_.read_until("\r\n\r\n");
    const auto end = got.find("\r\n\r\n");
    if (end != std::string::npos) {
      pending_ = got.substr(end + 4);
      got.resize(end + 4);
    }
    return got;
  }

  static std::string frame(int opcode, const std::string& payload, bool fin = true) {
    std::string out(1, static_cast<char>((fin ? 0x80 : 0) | opcode));
    if (payload.size() < 126) {
      out += static_cast<char>(0x80U | payload.size());
    } else if (payload.size() < 65'536) {
      out += static_cast<char>(0x80 | 126);
      for (int shift = 8; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
    } else {
      out += static_cast<char>(0x80 | 127);
      for (int shift = 56; shift >= 0; shift -= 8)
        out += static_cast<char>(payload.size() >> shift);
    }
    return out + std::string(4, '\0') + payload;  // A mask of zeros is a mask.
  }
  bool send(int opcode, const std::string& payload, bool fin = true) {
    return raw_.send(frame(opcode, payload, fin));
  }

  struct Frame {
    int opcode;
    std::string payload;
  };
  /// Nothing when the connection ended or time is up.
  std::optional<Frame> read() {
    const auto need = [this](std::size_t n) {
      while (pending_.size() < n) {
        const std::string more = raw_.read_more();
        if (more.empty()) return false;
        pending_ += more;
      }
      return true;
    };
    if (!need(2)) return std::nullopt;
    const int opcode = pending_[0] & 0x0f;
    std::size_t size = static_cast<unsigned char>(pending_[1]) & 0x7fU;
    std::size_t header = 2;
    if (size >= 126) {
      const std::size_t bytes = size == 126 ? 2 : 8;
      if (!need(2 + bytes)) return std::nullopt;
      size = 0;
      for (std::size_t i = 0; i < bytes; ++i) {
        size = size << 8U | static_cast<unsigned char>(pending_[2 + i]);
      }
      header += bytes;
    }
    if (!need(header + size)) return std::nullopt;
    Frame got{opcode, pending_.substr(header, size)};
    pending_.erase(0, header + size);
    return got;
  }
  /// The code of the next close frame, 0 when the connection just ended.
  int read_close() {
    while (const auto got = read()) {
      if (got->opcode == 8 && got->payload.size() >= 2) {
        return static_cast<unsigned char>(got->payload[0]) << 8 |
               static_cast<unsigned char>(got->payload[1]);
      }
    }
    return 0;
  }
  RawClient& raw() { return raw_; }

 private:
  RawClient raw_;
  std::string pending_;
};

class WebSocketTest : public RoutesFixture {
 protected:
  WebSocketTest() { config.log_level = "error"; }

  void start_echo(Access access = Access::open(), WebSocketOptions socket_options = {}) {
    start_with([this, access, socket_options](Router& r) {
      r.add_websocket(Listener::kMain, "/echo", access, socket_options,
                      [this](const std::shared_ptr<WebSocket>& socket) {
                        socket->on_message(
                            [socket](std::string_view text) { socket->send(std::string(text)); });
                        socket->on_close([this] { ++closed_; });
                        last_ = socket;
                      });
      echo(r, "GET", "/", Access::open());
    });
  }
  /// Until the server has let go of all its sockets.
  void wait_for_closed(int count) {
    while (closed_ < count) std::this_thread::yield();
  }

  std::atomic<int> closed_{0};
  std::weak_ptr<WebSocket> last_;
};

TEST_F(WebSocketTest, CarriesTextBothWays) {
  start_echo();
  SocketClient client(address("http"));
  EXPECT_NE(client.open("/echo").find("HTTP/1.1 101"), std::string::npos);
  for (const std::size_t size : {0U, 1U, 125U, 126U, 1000U, 65'535U, 65'536U, 100'000U}) {
    const std::string text(size, 'x');
    client.send(1, text);
    const auto got = client.read();
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->opcode, 1);
    EXPECT_EQ(got->payload, text);
  }
  client.send(1, "in ", false);
  client.send(0, "two", true);
  EXPECT_EQ(client.read()->payload, "in two");
  client.send(9, "are you there");
  EXPECT_EQ(client.read()->opcode, 10);
  client.send(8, "\x03\xe8");
  EXPECT_EQ(client.read_close(), 1000);
  wait_for_closed(1);
  while (!call([this](Context&) { return last_.expired(); })) {
  }
}

TEST_F(WebSocketTest, ARequiredSubprotocolIsRequired) {
  start_echo(Access::open(), {.protocols = {"janus-protocol"}});
  const auto answer = [this](const std::string& offered) {
    return SocketClient(address("http")).open("/echo", offered);
  };
  EXPECT_NE(answer("janus-protocol").find("Sec-WebSocket-Protocol: janus-protocol"),
            std::string::npos);
  EXPECT_NE(answer("other, janus-protocol").find(" 101 "), std::string::npos);
  EXPECT_NE(answer("").find(" 400 "), std::string::npos) << "libsoup alone would take it";
  EXPECT_NE(answer("other").find(" 400 "), std::string::npos);
}

TEST_F(WebSocketTest, ATokenMayComeAsSubprotocol) {
  start_echo(Access::with("events:read"), {.protocols = {"p"}});
  const auto answer = [this](const std::string& offered, const std::string& more = {}) {
    return SocketClient(address("http")).open("/echo", offered, more);
  };
  EXPECT_NE(answer("p").find(" 401 "), std::string::npos);
  EXPECT_NE(answer("p, sotto.bearer.rubbish").find(" 401 "), std::string::npos);
  EXPECT_NE(answer("p, sotto.bearer." + token({"stream:a:view"})).find(" 403 "), std::string::npos);
  const std::string good = answer("p, sotto.bearer." + token({"events:read"}));
  EXPECT_NE(good.find(" 101 "), std::string::npos);
  EXPECT_EQ(good.find("sotto.bearer"), std::string::npos) << "never sent back";
  EXPECT_NE(answer("p", "Authorization: Bearer " + token({"events:read"}) + "\r\n").find(" 101 "),
            std::string::npos);
}

TEST_F(WebSocketTest, AMessageOverTheLimitEndsIt) {
  start_echo(Access::open(), {.max_message = 1000});
  SocketClient client(address("http"));
  client.open("/echo");
  client.send(1, std::string(1000, 'x'));
  EXPECT_EQ(client.read()->payload.size(), 1000U);
  client.send(1, std::string(1001, 'x'));
  const int code = client.read_close();
  EXPECT_TRUE(code == 1009 || code == 0) << code << ": told, or cut off while being told";
  wait_for_closed(1);
}

TEST_F(WebSocketTest, AMessageOverTheLimitInPiecesEndsItToo) {
  start_echo(Access::open(), {.max_message = 1000});
  SocketClient client(address("http"));
  client.open("/echo");
  client.send(1, std::string(600, 'x'), false);
  client.send(0, std::string(600, 'x'), true);
  EXPECT_EQ(client.read_close(), 1009);
  wait_for_closed(1);
}

TEST_F(WebSocketTest, FragmentsWithoutAnEndAreCutOff) {
  start_echo(Access::open(), {.max_message = 10'000});
  SocketClient client(address("http"));
  client.open("/echo");
  client.send(1, "start", false);
  std::size_t sent = 0;
  while (sent < 100'000'000 && client.send(0, std::string(5000, 'x'), false)) sent += 5000;
  EXPECT_LT(sent, 20'000'000U) << "kernel buffers and little more";
  wait_for_closed(1);
}

TEST_F(WebSocketTest, WhoDoesNotReadIsDropped) {
  options.limits.sockets.queue_bytes = 1U << 20U;
  start_echo();
  SocketClient client(address("http"));
  client.open("/echo");
  std::size_t sent = 0;
  while (closed_ == 0) {
    call([this](Context&) {
      if (const auto socket = last_.lock()) socket->send(std::string(100'000, 'x'));
      return 0;
    });
    sent += 100'000;
    ASSERT_LT(sent, 200'000'000U) << "the queue has no bound";
  }
}

TEST_F(WebSocketTest, WhoReadsMayBeSentAnyAmount) {
  options.limits.sockets.queue_bytes = 1U << 20U;
  start_echo();
  SocketClient client(address("http"));
  client.open("/echo");
  for (int i = 0; i < 100; ++i) {
    call([this](Context&) {
      if (const auto socket = last_.lock()) socket->send(std::string(100'000, 'x'));
      return 0;
    });
    const auto got = client.read();
    ASSERT_TRUE(got.has_value()) << "dropped after " << i;
    ASSERT_EQ(got->payload.size(), 100'000U);
  }
}

TEST_F(WebSocketTest, WhoAnswersNoPingsIsDropped) {
  options.limits.sockets.ping_interval = 1s;
  options.limits.sockets.silence_deadline = 2s;
  start_echo();
  SocketClient client(address("http"));
  client.open("/echo");
  const auto ping = client.read();
  ASSERT_TRUE(ping.has_value());
  EXPECT_EQ(ping->opcode, 9);
  EXPECT_EQ(client.read_close(), 0);
  wait_for_closed(1);
}

TEST_F(WebSocketTest, WhoAnswersPingsStays) {
  options.limits.sockets.ping_interval = 1s;
  options.limits.sockets.silence_deadline = 3s;
  start_echo();
  SocketClient client(address("http"));
  client.open("/echo");
  for (int i = 0; i < 5; ++i) {
    const auto ping = client.read();
    ASSERT_TRUE(ping.has_value()) << "dropped after " << i << " pings";
    ASSERT_EQ(ping->opcode, 9);
    client.send(10, ping->payload);
  }
  EXPECT_EQ(closed_, 0);
}

TEST_F(WebSocketTest, RefusesWhatIsNoText) {
  start_echo();
  for (const auto& [bytes, code] :
       {std::pair(SocketClient::frame(2, "binary"), 1003),
        std::pair(SocketClient::frame(1, "\xff\xfe"), 1007),
        std::pair(SocketClient::frame(3, "reserved opcode"), 1002),
        std::pair(std::string("\x81\x05hello"), 1002)}) {  // Not masked.
    SocketClient client(address("http"));
    client.open("/echo");
    client.raw().send(bytes);
    EXPECT_EQ(client.read_close(), code);
  }
  wait_for_closed(4);
}

TEST_F(WebSocketTest, AStopIsTold) {
  start_echo();
  SocketClient client(address("http"));
  client.open("/echo");
  client.send(1, "x");
  client.read();
  auto stopped = std::async(std::launch::async, [this] { stop(); });
  EXPECT_EQ(client.read_close(), 1001);
  client.send(8, "\x03\xe9");
  EXPECT_EQ(stopped.wait_for(60s), std::future_status::ready);
}

TEST_F(WebSocketTest, PlainRequestsToASocketAreRefused) {
  start_echo();
  EXPECT_EQ(http.get(url("/echo")).status, 404);
  EXPECT_NE(SocketClient(address("http")).open("/").find(" 200 "), std::string::npos)
      << "an upgrade where there is no socket is a plain request";
}

}  // namespace
}  // namespace sotto::server
