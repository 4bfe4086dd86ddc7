// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/http/router.h"

#include "tests/server/routes_fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace sotto::server {
namespace {

using test::HttpAnswer;
using test::RawClient;
class RouterTest : public RoutesFixture {
 protected:
  ~RouterTest() override { stop(); }
  /// The path goes out as it is written.
  std::string raw_get(const std::string& path) {
    RawClient client(address("http"));
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return client.read_to_end();
  }
};

TEST_F(RouterTest, GivesParametersQueryAndBody) {
  start_with([](Router& r) { echo(r, "POST", "/v1/{a}/x/{rest...}", Access::open()); });
  const HttpAnswer got = http.post(url("/v1/caf%C3%A9/x/y/z?q=1+2&r=%26"), "hello");
  EXPECT_EQ(got.status, 200);
  const auto json = nlohmann::json::parse(got.body);
  EXPECT_EQ(json["params"]["a"], "café");
  EXPECT_EQ(json["params"]["rest"], "y/z");
  EXPECT_EQ(json["query"]["q"], "1 2");
  EXPECT_EQ(json["query"]["r"], "&");
  EXPECT_EQ(json["body"], "hello");
  EXPECT_EQ(json["base"], address("http"));
}

TEST_F(RouterTest, EachAnswerEndsItsConnection) {
  start_with([](Router& r) { echo(r, "GET", "/", Access::open()); });
  for (int i = 0; i < 50; ++i) {
    const HttpAnswer got = http.get(url("/"));
    ASSERT_EQ(got.status, 200);
    ASSERT_EQ(got.header("connection"), "close");
  }
  while (connections() > 0) {
  }
}

TEST_F(RouterTest, TheMoreExactPathAnswers) {
  start_with([](Router& r) {
    echo(r, "GET", "/{path...}", Access::open());
    echo(r, "GET", "/v1/{name}", Access::open());
    echo(r, "POST", "/v1/login", Access::open());
  });
  const auto params = [this](const std::string& path) {
    return nlohmann::json::parse(http.get(url(path)).body)["params"];
  };
  EXPECT_TRUE(params("/v1/x").contains("name"));
  EXPECT_TRUE(params("/v1/x/y").contains("path"));
  EXPECT_TRUE(params("/").contains("path"));
  const HttpAnswer wrong = http.get(url("/v1/login"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "POST");
}

TEST_F(RouterTest, HeadIsGetWithoutABody) {
  start_with([](Router& r) { echo(r, "GET", "/x", Access::open()); });
  const HttpAnswer got = http.request("HEAD", url("/x"));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "");
}

TEST_F(RouterTest, ErrorsAreProblemJson) {
  start_with([](Router& r) {
    r.add(Listener::kMain, "GET", "/gone", Access::open(), {}, [](const ExchangePtr& e) {
      e->respond(problem({ErrorCode::kPrecondition, "not \"that\" one"}));
    });
  });
  const HttpAnswer got = http.get(url("/gone"));
  EXPECT_EQ(got.status, 412);
  EXPECT_EQ(got.header("content-type"), "application/problem+json");
  const auto json = nlohmann::json::parse(got.body);
  EXPECT_EQ(json["status"], 412);
  EXPECT_EQ(json["code"], "precondition");
  EXPECT_EQ(json["detail"], "not \"that\" one");
  EXPECT_EQ(http.get(url("/nowhere")).status, 404);
}

TEST_F(RouterTest, AnExchangeDroppedOrAHandlerThatThrowsIsA500) {
  start_with([](Router& r) {
    r.add(Listener::kMain, "GET", "/drop", Access::open(), {}, [](const ExchangePtr&) {});
    r.add(Listener::kMain, "GET", "/throw", Access::open(), {},
          [](const ExchangePtr&) { throw std::runtime_error("secret detail"); });
  });
  EXPECT_EQ(http.get(url("/drop")).status, 500);
  const HttpAnswer thrown = http.get(url("/throw"));
  EXPECT_EQ(thrown.status, 500);
  EXPECT_EQ(thrown.body.find("secret"), std::string::npos);
}

TEST_F(RouterTest, AnswersLater) {
  start_with([this](Router& r) {
    r.add(Listener::kMain, "GET", "/later", Access::open(), {},
          [this](const ExchangePtr& e) { kept_ = e; });
    r.add(Listener::kMain, "GET", "/now", Access::open(), {}, [this](const ExchangePtr& e) {
      kept_->respond(HttpResponse::text(200, "late"));
      kept_->respond(HttpResponse::text(200, "twice"));
      e->respond(HttpResponse::text(200, "now"));
      kept_ = nullptr;
    });
  });
  RawClient waiting(address("http"));
  waiting.send("GET /later HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  while (!call([this](Context&) { return kept_ != nullptr; })) {
  }
  EXPECT_EQ(http.get(url("/now")).body, "now");
  const std::string answer = waiting.read_to_end();
  EXPECT_NE(answer.find("\r\n\r\nlate"), std::string::npos);
  EXPECT_EQ(answer.find("twice"), std::string::npos);
}

TEST_F(RouterTest, AClientThatLeavesIsTold) {
  std::promise<void> aborted;
  start_with([&](Router& r) {
    r.add(Listener::kMain, "GET", "/poll", Access::open(), {}, [&](const ExchangePtr& e) {
      kept_ = e;
      e->on_abort([&] {
        aborted.set_value();
        kept_->respond(HttpResponse::empty(204));  // Too late, and harmless.
        kept_ = nullptr;
      });
    });
  });
  {
    RawClient client(address("http"));
    client.send("GET /poll HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!call([this](Context&) { return kept_ != nullptr; })) {
    }
  }
  EXPECT_EQ(aborted.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  while (connections() != 0) {
  }
}

TEST_F(RouterTest, RefusesPathTricks) {
  start_with([](Router& r) { echo(r, "GET", "/{path...}", Access::open()); });
  for (const char* path : {"/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00b", "/a%0d%0aSet-Cookie:x",
                           "/%ff", "/%c0%af", "/%", "/%2", "/%zz", "/x?q=%zz", "/x?q=%ff"}) {
    const std::string answer = raw_get(path);
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 400") << path << ": " << answer;
  }
  EXPECT_EQ(raw_get("/" + std::string(3000, 'a')).substr(0, 12), "HTTP/1.1 413");
  // Dot segments in any spelling are resolved before anybody sees them, and never lead above the
  // root.
  for (const char* path : {"/a/../../../b", "/a/%2e%2e/%2E%2e/b", "/.%2e/b", "/./%2e/b"}) {
    const std::string answer = raw_get(path);
    EXPECT_TRUE(answer.find("\"path\":\"/b\"") != std::string::npos ||
                answer.substr(0, 12) == "HTTP/1.1 400")
        << path << ": " << answer;
  }
}

TEST_F(RouterTest, RefusesBrokenRequests) {
  start_with([](Router& r) { echo(r, "*", "/{path...}", Access::open()); });
  for (const char* request :
       {"GET\r\n\r\n", "\x16\x03\x01\x02", "GET / HTTP/9.9\r\n\r\n", "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: evil\"><script>\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    RawClient client(address("http"));
    client.send(request);
    ::shutdown(client.fd(), SHUT_WR);
    const std::string answer = client.read_to_end();
    EXPECT_NE(answer.substr(0, 12), "HTTP/1.1 200") << request;
    EXPECT_TRUE(client.closed()) << request;
  }
  EXPECT_EQ(http.get(url("/still/here")).status, 200);
}

TEST_F(RouterTest, HeadersOfAnAnswerCannotBeSplit) {
  start_with([](Router& r) {
    r.add(Listener::kMain, "GET", "/x", Access::open(), {}, [](const ExchangePtr& e) {
      e->respond({.status = 200, .body = "{}", .headers = {{"X-A", "a\r\nX-B: b"}, {"X-C", "c"}}});
    });
  });
  const HttpAnswer got = http.get(url("/x"));
  EXPECT_EQ(got.header("x-b"), "");
  EXPECT_EQ(got.header("x-c"), "c");
}

// ---- cross-origin requests

TEST_F(RouterTest, PreflightIsAnsweredBeforeAuthentication) {
  start_with([](Router& r) {
    echo(r, "POST", "/whip/{id}", Access::with("stream:{id}:publish"), {.cors = true});
    echo(r, "PATCH", "/whip/{id}", Access::with("stream:{id}:publish"), {.cors = true});
    echo(r, "POST", "/private", Access::with("admin"));
  });
  http.set_token("");
  const auto preflight = [this](const char* path) {
    return http.request("OPTIONS", url(path), "",
                        {{"Origin", "https://elsewhere.example"},
                         {"Access-Control-Request-Method", "POST"},
                         {"Access-Control-Request-Headers", "authorization,content-type"}});
  };
  const HttpAnswer got = preflight("/whip/a");
  EXPECT_EQ(got.status, 204);
  EXPECT_EQ(got.header("access-control-allow-origin"), "*");
  EXPECT_EQ(got.header("access-control-allow-headers"), "authorization,content-type");
  EXPECT_NE(got.header("access-control-allow-methods").find("PATCH"), std::string::npos);
  EXPECT_EQ(got.header("access-control-allow-credentials"), "");

  const HttpAnswer refused = http.post(url("/whip/a"), "x");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("access-control-allow-origin"), "*") << "so that a page can read it";

  const HttpAnswer other = preflight("/private");
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.header("access-control-allow-origin"), "");
}

TEST_F(RouterTest, OnlyPagesOfNamedOriginsMayUseTheApi) {
  config.http.page_origins = {"https://pages.example"};
  start_with([](Router& r) {
    echo(r, "POST", "/v1/private", Access::with("admin"));
    echo(r, "GET", "/else", Access::open());
  });
  const auto ask = [this](const char* path, const char* origin) {
    return http.request("OPTIONS", url(path), "",
                        {{"Origin", origin},
                         {"Access-Control-Request-Method", "POST"},
                         {"Access-Control-Request-Headers", "authorization"}});
  };
  const HttpAnswer got = ask("/v1/private", "https://pages.example");
  EXPECT_EQ(got.status, 204);
  EXPECT_EQ(got.header("access-control-allow-origin"), "https://pages.example");
  EXPECT_EQ(got.header("access-control-allow-methods"), "POST");
  EXPECT_EQ(got.header("access-control-allow-credentials"), "");
  EXPECT_EQ(got.header("vary"), "Origin");
  http.set_token("");
  const HttpAnswer refused =
      http.request("POST", url("/v1/private"), "{}", {{"Origin", "https://pages.example"}});
  EXPECT_EQ(refused.status, 401) << "an origin is no log-in";
  EXPECT_EQ(refused.header("access-control-allow-origin"), "https://pages.example");
  for (const char* other :
       {"https://other.example", "https://pages.example.org", "null", "*", ""}) {
    EXPECT_EQ(ask("/v1/private", other).status, 405) << other;
    EXPECT_EQ(ask("/v1/private", other).header("access-control-allow-origin"), "") << other;
  }
  EXPECT_EQ(ask("/else", "https://pages.example").header("access-control-allow-origin"), "");
  EXPECT_EQ(ask("/v1/nothing", "https://pages.example").status, 404);
}

TEST_F(RouterTest, PagesCarryAContentSecurityPolicy) {
  start_with([](Router& r) {
    r.add(Listener::kMain, "GET", "/p", Access::open(), {}, [](const ExchangePtr& e) {
      e->respond({.status = 200, .content_type = "text/html; charset=utf-8", .body = "<p>"});
    });
    echo(r, "GET", "/j", Access::open());
  });
  const HttpAnswer page = http.get(url("/p"));
  EXPECT_NE(page.header("content-security-policy").find("default-src 'self'"), std::string::npos);
  EXPECT_EQ(page.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(http.get(url("/j")).header("cache-control"), "no-store");
}

// ---- who may

TEST_F(RouterTest, ScopesAreFilledFromThePath) {
  start_with([](Router& r) { echo(r, "GET", "/s/{id}", Access::with("stream:{id}:view")); });
  http.set_token("");
  EXPECT_EQ(http.get(url("/s/door")).status, 401);
  EXPECT_NE(http.get(url("/s/door")).header("www-authenticate"), "");
  http.set_token("rubbish");
  EXPECT_EQ(http.get(url("/s/door")).status, 401);
  http.set_token(token({"stream:door:view"}));
  EXPECT_EQ(http.get(url("/s/door")).status, 200);
  EXPECT_EQ(http.get(url("/s/yard")).status, 403);
  EXPECT_EQ(http.get(url("/s/*")).status, 403);
  EXPECT_EQ(http.get(url("/s/door:view")).status, 403);
  http.set_token(token({"stream:*:view"}));
  EXPECT_EQ(http.get(url("/s/yard")).status, 200);
  EXPECT_EQ(http.get(url("/s/a:b")).status, 403);
  http.set_token(token({"stream:*:publish", "stream:door"}));
  EXPECT_EQ(http.get(url("/s/door")).status, 403);
}

TEST_F(RouterTest, LoopbackIsWhoSitsAtTheMachine) {
  start_with([](Router& r) { echo(r, "GET", "/m", Access::loopback("metrics:read")); });
  http.set_token("");
  EXPECT_EQ(http.get(url("/m")).status, 200);
  EXPECT_EQ(http.request("GET", url("/m"), "", {{"X-Forwarded-For", "192.0.2.1"}}).status, 401)
      << "a proxy on this machine brings strangers";
  EXPECT_EQ(http.request("GET", url("/m"), "", {{"Host", "rebound.example"}}).status, 401)
      << "a foreign page whose name was pointed at us";
  http.set_token(token({"metrics:read"}));
  EXPECT_EQ(http.request("GET", url("/m"), "", {{"Host", "rebound.example"}}).status, 200);
}

TEST_F(RouterTest, ForwardedAddressesCountOnlyFromTrustedProxies) {
  const auto who = [this](const char* forwarded) {
    return nlohmann::json::parse(
               http.request("GET", url("/a"), "", {{"X-Forwarded-For", forwarded}}).body)
        .value("address", "");
  };
  config.http.trusted_proxies = {"127.0.0.0/8", "198.51.100.7"};
  start_with([](Router& r) { echo(r, "GET", "/a", Access::open()); });
  EXPECT_EQ(who("203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(who("203.0.113.66, 203.0.113.9, 198.51.100.7"), "203.0.113.9")
      << "the last one that is no proxy of ours; what stands before it is hearsay";
  EXPECT_EQ(who("nonsense"), "127.0.0.1");
}

TEST_F(RouterTest, WithoutTrustedProxiesNobodyIsBelieved) {
  start_with([](Router& r) { echo(r, "GET", "/a", Access::open()); });
  const auto got = http.request("GET", url("/a"), "", {{"X-Forwarded-For", "203.0.113.9"}});
  EXPECT_EQ(nlohmann::json::parse(got.body)["address"], "127.0.0.1");
}

}  // namespace
}  // namespace sotto::server
