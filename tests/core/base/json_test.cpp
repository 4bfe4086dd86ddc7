// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/json.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Json, TakesOneStrictValue) {
  const auto value = parse_json(R"( {"a":[1,2.5,"x"],"b":{"a":null}} )");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->at("a").at(2), "x");
  EXPECT_EQ(parse_json("9223372036854775807")->get<std::int64_t>(), INT64_MAX);
  EXPECT_TRUE(parse_json("9223372036854775808")->is_number_unsigned());
}

TEST(Json, RefusesEverythingElse) {
  for (const char* text :
       {"",      " ",        "{",       "}",          "[1,]",        "{\"a\":1,}", "{} {}",
        "{}x",   "// c\n{}", "/**/1",   "NaN",        "Infinity",    "01",         "'a'",
        "{a:1}", "var x={}", "\"\\x\"", "[\"\xff\"]", "\"\\ud800\"", "\"a\nb\""}) {
    const auto value = parse_json(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kParse) << text;
  }
}

TEST(Json, RefusesAKeyNamedTwice) {
  EXPECT_FALSE(parse_json(R"({"a":1,"a":2})").has_value());
  EXPECT_FALSE(parse_json(R"([{"b":{"a":1,"\u0061":2}}])").has_value());
  EXPECT_TRUE(parse_json(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})").has_value());
}

TEST(Json, BoundsDepthAndSize) {
  const JsonLimits limits{.max_bytes = 1000, .max_depth = 3};
  EXPECT_TRUE(parse_json("[[[1]]]", limits).has_value());
  EXPECT_EQ(parse_json("[[[[1]]]]", limits).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(parse_json(R"(["[[[[[[[[", "\"[[[[["])", limits).has_value());
  EXPECT_EQ(parse_json('"' + std::string(1000, 'x') + '"', limits).error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(parse_json(std::string(200'000, '[')).error().code, ErrorCode::kTooLarge);
}

TEST(Json, ObjectHelperWantsAnObject) {
  EXPECT_FALSE(parse_json_object("[]").has_value());
  const auto object = parse_json_object(R"({"a":"x","b":1})");
  ASSERT_TRUE(object.has_value());
  EXPECT_EQ(json_text(*object, "a"), "x");
  EXPECT_EQ(json_text(*object, "b"), "");
  EXPECT_EQ(json_text(*object, "c"), "");
}

}  // namespace
}  // namespace sotto
