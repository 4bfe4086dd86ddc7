// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a stranger can make the server do: little.
#include "tests/server/routes_fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <filesystem>
#include <fstream>

namespace sotto::server {
namespace {

using namespace std::chrono_literals;
using test::RawClient;

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

std::size_t open_files() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count;
}

class LimitsTest : public RoutesFixture {
 protected:
  LimitsTest() { config.log_level = "error"; }

  void start_counting() {
    start_with([this](Router& r) {
      r.add(Listener::kMain, "POST", "/in", Access::open(), {.max_body = 1000},
            [this](const ExchangePtr& e) {
              ++handled_;
              e->respond(HttpResponse::text(200, std::to_string(e->request().body.size())));
            });
      r.add(Listener::kMain, "POST", "/secret", Access::with("admin"), {.max_body = 1000},
            [this](const ExchangePtr& e) {
              ++handled_;
              e->respond(HttpResponse::empty(204));
            });
      r.add(Listener::kMain, "GET", "/big", Access::open(), {}, [](const ExchangePtr& e) {
        e->respond(HttpResponse::text(200, std::string(64U << 20U, 'x')));
      });
      echo(r, "GET", "/", Access::open());
    });
  }

  /// Sends `chunk` until the server has answered or gone; gives the answer.
  static std::string flood(RawClient& client, const std::string& chunk, std::size_t bytes) {
    std::string answer;
    std::size_t sent = 0;
    while (sent < bytes) {
      pollfd wait{.fd = client.fd(), .events = POLLIN | POLLOUT};
      if (::poll(&wait, 1, 60'000) <= 0) return answer;
      if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0) return client.read_to_end(10s);
      std::size_t n = 0;
      if (!client.send_some(chunk, n)) return client.read_to_end(10s);
      sent += n;
    }
    return client.read_to_end(10s);
  }

  int handled_ = 0;
};

TEST_F(LimitsTest, ABodyAtTheLimitIsTaken) {
  start_counting();
  EXPECT_EQ(http.post(url("/in"), std::string(1000, 'x')).body, "1000");
  EXPECT_EQ(http.post(url("/in"), std::string(1001, 'x')).status, 413);
}

TEST_F(LimitsTest, TenMegabytesAreRefusedAndTheConnectionEnds) {
  start_counting();
  const auto before = resident_bytes();
  RawClient client(address("http"));
  client.send("POST /in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n");
  const std::string answer = flood(client, std::string(65'536, 'x'), 10'000'000);
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 413") << answer.substr(0, 200);
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(handled_, 0);
  EXPECT_LT(resident_bytes() - std::min(before, resident_bytes()), 32U << 20U);
  EXPECT_EQ(http.get(url("/")).status, 200);
}

TEST_F(LimitsTest, ThreeHundredMegabytesInChunksTakeNoMemory) {
  start_counting();
  const auto before = resident_bytes();
  RawClient client(address("http"));
  client.send("POST /in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65'536, 'x') + "\r\n";
  const std::string answer = flood(client, chunk, 300'000'000);
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 413") << answer.substr(0, 200);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(handled_, 0);
  EXPECT_LT(resident_bytes() - std::min(before, resident_bytes()), 64U << 20U);
}

TEST_F(LimitsTest, AStrangersBodyIsNotEvenRead) {
  start_counting();
  RawClient client(address("http"));
  client.send("POST /secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n");
  const std::string answer = client.read_to_end(10s);
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 401") << "before a single byte of the body came";
  EXPECT_EQ(handled_, 0);
}

TEST_F(LimitsTest, ExpectContinueIsRefusedWithoutTheBody) {
  start_counting();
  RawClient client(address("http"));
  client.send(
      "POST /in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_to_end(10s).substr(0, 12), "HTTP/1.1 413");
}

TEST_F(LimitsTest, HalfARequestIsCut) {
  options.limits.connections.header_deadline = 300ms;
  start_counting();
  for (const char* half : {"", "GET", "GET / HTTP/1.1\r\nHost: loc"}) {
    RawClient client(address("http"));
    client.send(half);
    client.read_to_end();
    EXPECT_TRUE(client.closed()) << half;
  }
}

TEST_F(LimitsTest, ARequestInDropsIsCut) {
  options.limits.connections.header_deadline = 500ms;
  start_counting();
  RawClient client(address("http"));
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  // Each drop keeps the connection busy; the deadline is for the whole header.
  while (!client.closed() && client.send("x")) client.read_to_end(10ms);
  EXPECT_EQ(http.get(url("/")).status, 200);
}

TEST_F(LimitsTest, HalfABodyIsCut) {
  options.limits.connections.body_deadline = 300ms;
  start_counting();
  RawClient client(address("http"));
  client.send("POST /in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
  client.read_to_end();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(handled_, 0);
}

TEST_F(LimitsTest, WhoDoesNotReadTheAnswerIsCut) {
  options.limits.connections.write_deadline = 500ms;
  start_counting();
  RawClient client(address("http"));
  client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (connections() == 0) {
  }
  while (connections() > 0) {
  }
  SUCCEED() << "the connection went although nobody read";
}

TEST_F(LimitsTest, ConnectionsPerAddressAreCounted) {
  options.limits.connections.per_address = 5;
  start_counting();
  std::vector<RawClient> held;
  for (int i = 0; i < 5; ++i) {
    held.emplace_back(address("http"));
    held.back().send("GET / HTTP/1.1\r\n");
  }
  while (connections() < 5) {
  }
  RawClient sixth(address("http"));
  sixth.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(sixth.read_to_end(), "");
  EXPECT_TRUE(sixth.closed());

  held.pop_back();
  while (connections() >= 5) {
  }
  EXPECT_EQ(http.get(url("/")).status, 200);
}

TEST_F(LimitsTest, TenThousandRequestsFromOneAddressAreAnswered) {
  start_counting();
  const std::string where = address("http");
  for (int i = 0; i < 10'000; ++i) {
    RawClient client(where);
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_EQ(client.read_to_end().substr(0, 12), "HTTP/1.1 200") << i;
  }
  while (connections() > 0) {
  }
}

TEST_F(LimitsTest, ConnectionsThatComeAndGoLeaveNothing) {
  start_counting();
  const std::string where = address("http");
  const auto round = [&] {
    for (int i = 0; i < 200; ++i) {
      RawClient client(where);
      if (i % 3 != 0) client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      if (i % 3 == 2) client.read_until("}");
    }
    while (connections() > 0) {
    }
  };
  round();
  const auto files = open_files();
  for (int i = 0; i < 5; ++i) round();
  EXPECT_EQ(open_files(), files);
}

TEST_F(LimitsTest, TooManyHeadersAreRefused) {
  start_counting();
  RawClient client(address("http"));
  std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < 150; ++i) request += "X-" + std::to_string(i) + ": x\r\n";
  client.send(request + "Connection: close\r\n\r\n");
  EXPECT_EQ(client.read_to_end().substr(0, 12), "HTTP/1.1 413");

  RawClient endless(address("http"));
  const std::string start = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
  endless.send(start);
  flood(endless, std::string(65'536, 'x'), 100'000'000);
  EXPECT_TRUE(endless.closed());
}

}  // namespace
}  // namespace sotto::server
