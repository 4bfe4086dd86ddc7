// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/launch/launch_file.h"

#include "pipelines/launch/launch_catalog.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using Words = std::vector<std::string>;

Result<Words> fill(std::string_view text, const LaunchArguments& arguments = {}) {
  auto file = parse_launch_file(text);
  if (!file) return tl::unexpected(file.error());
  return fill_launch_words(*file, arguments);
}

std::string error_of(std::string_view text) {
  const auto file = parse_launch_file(text);
  return file ? "no error" : file.error().message;
}

TEST(LaunchFile, ReadsSummaryCommentAndValues) {
  const auto file = parse_launch_file(
      "# SPDX-FileCopyrightText: somebody\n#\n# A picture.\n#\n# Values:\n#   width  in pixels\n"
      "gst-launch-1.0 -e \\\n  a x=\"${width:-640}\" \\\n ! b y=\"${url:?its address}\"\n");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->summary, "A picture.");
  EXPECT_EQ(file->comment, "A picture.\n\nValues:\n  width  in pixels\n");
  ASSERT_EQ(file->values.size(), 2U);
  EXPECT_EQ(file->values[0].name, "width");
  EXPECT_EQ(file->values[0].fallback, "640");
  EXPECT_EQ(file->values[0].help, "in pixels");
  EXPECT_TRUE(file->values[1].required);
}

TEST(LaunchFile, SplitsWordsAsAShellDoes) {
  const auto words = fill("gst-launch-1.0 -e a b='c d' \"e  f\" g\\ h \\\n  \"i\\\"j\" k\n");
  ASSERT_TRUE(words) << words.error().message;
  EXPECT_EQ(*words, (Words{"a", "b=c d", "e  f", "g h", "i\"j", "k"}));
}

TEST(LaunchFile, FillsDefaultsAndGivenValues) {
  constexpr std::string_view text = "gst-launch-1.0 -e a x=\"${w:-640},${h:-480}\"";
  EXPECT_EQ(fill(text)->at(1), "x=640,480");
  EXPECT_EQ(fill(text, {{"h", "9"}})->at(1), "x=640,9");
  EXPECT_EQ(fill(text, {{"h", ""}})->at(1), "x=640,480") << "empty means default, as in a shell";
}

TEST(LaunchFile, AValueCannotLeaveItsProperty) {
  constexpr std::string_view text = "gst-launch-1.0 -e a x=\"${v:-1}\" \"y=\\\"${v:-1}\\\"\"";
  const auto words = fill(text, {{"v", "1 ! filesink location=\\etc"}});
  ASSERT_TRUE(words);
  // Spaces are escaped by gst_parse_launchv() itself; what it leaves alone is escaped here.
  EXPECT_EQ(words->at(1), "x=1 \\! filesink location=\\\\etc");
  EXPECT_EQ(words->at(2), "y=\"1 ! filesink location=\\\\etc\"");
  EXPECT_FALSE(fill(text, {{"v", "a\" ! filesink"}})) << "a double quote would end the property";
  EXPECT_FALSE(fill(text, {{"v", "a\nb"}}));
  EXPECT_FALSE(fill(text, {{"v", std::string(kMaxLaunchValueBytes + 1, 'a')}}));
}

TEST(LaunchFile, AnEmptyDefaultDoesNotSwallowTheNextWord) {
  EXPECT_EQ(fill("gst-launch-1.0 -e a x=\"${v:-}\" y=1")->at(1), "x=\"\"");
}

TEST(LaunchFile, NamesWhatIsMissingOrUnknown) {
  const auto missing = fill("gst-launch-1.0 -e a x=\"${url:?the address}\"");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kInvalid);
  EXPECT_NE(missing.error().message.find("the address"), std::string::npos);
  const auto unknown = fill("gst-launch-1.0 -e a x=\"${w:-1}\"", {{"ww", "1"}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_NE(unknown.error().message.find("there are: w"), std::string::npos);
}

TEST(LaunchFile, RefusesWhatAShellWouldActOn) {
  for (const auto* tail :
       {"a | b",       "a; b",   "a & b",   "a > f",    "a < f",       "$(b)",
        "`b`",         "a *",    "a [b]",   "~",        "a # b",       "\"$(b)\"",
        "\"`b`\"",     "\"$b\"", "${b:-1}", "\"${b}\"", "\"${B:-1}\"", "\"${b:-$c}\"",
        "\"${b:=1}\"", "\"open", "'open",   "a\nb"}) {
    const auto file = parse_launch_file(std::string("gst-launch-1.0 -e x ") + tail);
    EXPECT_FALSE(file) << tail;
  }
}

TEST(LaunchFile, ErrorsNameTheLine) {
  EXPECT_EQ(error_of("# one\ngst-launch-1.0 -e a \\\n  ! b | c\n").substr(0, 7), "line 3:");
  EXPECT_NE(error_of("gst-launch-1.0 a ! b").find("gst-launch-1.0 -e"), std::string::npos);
  EXPECT_NE(error_of("gst-launch-1.0 -e").find("no pipeline"), std::string::npos);
  EXPECT_NE(error_of("gst-launch-1.0 -e \"${a:-1}\" \"${a:-2}\"").find("two different"),
            std::string::npos);
}

TEST(LaunchFile, IsBounded) {
  EXPECT_FALSE(parse_launch_file(std::string(kMaxLaunchBytes + 1, '#')));
  std::string many = "gst-launch-1.0 -e";
  for (std::size_t i = 0; i < kMaxLaunchWords; ++i) many += " a";
  EXPECT_FALSE(parse_launch_file(many));
  EXPECT_FALSE(parse_launch_file(std::string_view("gst-launch-1.0 -e a\0b", 21)));
}

TEST(LaunchArguments, AreKeyAndValue) {
  const auto good = parse_launch_arguments({"a=1", "token-file=x=y"});
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, (LaunchArguments{{"a", "1"}, {"token_file", "x=y"}}));
  EXPECT_FALSE(parse_launch_arguments({"a"}));
  EXPECT_FALSE(parse_launch_arguments({"=1"}));
  EXPECT_FALSE(parse_launch_arguments({"a=1", "a=2"}));
}

TEST(LaunchCommand, IsQuotedForAShell) {
  EXPECT_EQ(to_shell_command({"a", "!", "b=c d", "e='"}),
            "gst-launch-1.0 -e a ! 'b=c d' 'e='\\'''");
}

TEST(LaunchCatalog, EveryFileExplainsItself) {
  ASSERT_FALSE(embedded_launches().empty());
  for (const auto& entry : embedded_launches()) {
    const auto file = parse_launch_file(entry.text);
    ASSERT_TRUE(file) << entry.name << ": " << file.error().message;
    EXPECT_FALSE(file->summary.empty()) << entry.name;
    EXPECT_NE(file->comment.find("Look for: "), std::string::npos) << entry.name;
    for (const auto& value : file->values) {
      EXPECT_FALSE(value.help.empty()) << entry.name << " does not explain " << value.name;
    }
  }
}

TEST(LaunchCatalog, FindsNamesAndPaths) {
  EXPECT_TRUE(load_launch("test-to-rtp"));
  const auto unknown = load_launch("nothing-of-that-name");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(load_launch("./nothing-of-that-name.launch"));
}

}  // namespace
}  // namespace sotto
