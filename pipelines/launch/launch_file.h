// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pipeline in a file that a person can paste into a shell: comments that say what it shows, then
// one gst-launch-1.0 command with ${name:-default} where a value may be given.
//
// Only that much of the shell is understood as is needed to read the command the way a shell does:
// words, quotes, backslashes, ${name:-default} and ${name:?what is missing}. Anything else that a
// shell would act on (pipes, substitutions, globs) is an error, so what we run and what a shell
// runs cannot differ in silence. Values are data: whatever they hold, they stay inside the one
// property they were written for.
#pragma once

#include "core/base/error.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sotto {

constexpr std::size_t kMaxLaunchBytes = 64U << 10U;  ///< One file.
constexpr std::size_t kMaxLaunchWords = 512;
constexpr std::size_t kMaxLaunchValueBytes = 4096;

struct LaunchValue {
  std::string name;      ///< A shell variable's name in lower case: [a-z_][a-z0-9_]*.
  std::string fallback;  ///< The default, or what is missing when `required`.
  bool required = false;
  std::string help;  ///< From the comment line "#   name  help".
};

/// A word of the command; values are filled in between its literal pieces.
struct LaunchPiece {
  std::string text;  ///< Literal text, or the name of a value.
  bool is_value = false;
};
using LaunchWord = std::vector<LaunchPiece>;

struct LaunchFile {
  std::string summary;              ///< First sentence of the comment: one line.
  std::string comment;              ///< The whole comment without its # signs and licence lines.
  std::vector<LaunchValue> values;  ///< In order of first use.
  std::vector<LaunchWord> words;    ///< The pipeline: what follows gst-launch-1.0 and its options.
};

/// Errors name the line and what the file may hold.
Result<LaunchFile> parse_launch_file(std::string_view text);

using LaunchArguments = std::map<std::string, std::string>;

/// Splits "key=value" arguments; a hyphen in a key means an underscore.
Result<LaunchArguments> parse_launch_arguments(const std::vector<std::string>& arguments);

/// The words for gst_parse_launchv(), values filled in. kNotFound for a value the file does not
/// have, kInvalid for one that is missing or cannot be carried (control characters, double quotes).
Result<std::vector<std::string>> fill_launch_words(const LaunchFile& file,
                                                   const LaunchArguments& arguments);

/// The words as one command for a POSIX shell.
std::string to_shell_command(const std::vector<std::string>& words);

}  // namespace sotto
