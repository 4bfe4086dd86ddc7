// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/launch/launch_file.h"

#include <algorithm>

namespace sotto {
namespace {

constexpr std::string_view kProgram = "gst-launch-1.0";
/// Without it Ctrl-C would cut a file short; with it both ways to run a file end in the same way.
constexpr std::string_view kEosOption = "-e";

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

bool is_name(std::string_view name) {
  return !name.empty() && is_name_start(name.front()) &&
         std::all_of(name.begin(), name.end(), is_name_char);
}

/// Characters that make a shell do something where they stand outside quotes.
bool is_shell_operator(char c) {
  return std::string_view("|&;<>()*?[]{}~`#$").find(c) != std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Reads the command as a shell would, as far as it can be read without running anything.
class Reader {
 public:
  Reader(std::string_view text, std::size_t line, LaunchFile& file)
      : text_(text), line_(line), file_(file) {}

  Result<> read() {
    std::vector<LaunchWord> words;
    while (skip_blanks()) {
      if (words.size() == kMaxLaunchWords) {
        return error("more than " + std::to_string(kMaxLaunchWords) + " words");
      }
      auto word = read_word();
      if (!word) return tl::unexpected(word.error());
      words.push_back(std::move(*word));
    }
    if (at_ < text_.size() && !trim(text_.substr(at_)).empty()) {
      if (text_.find_first_not_of(" \t\r\n", at_) != std::string_view::npos) {
        return error("a file is one command; end each line but the last with a backslash");
      }
    }
    return take_command(std::move(words));
  }

 private:
  Result<> take_command(std::vector<LaunchWord> words) {
    const auto literal = [&](std::size_t i, std::string_view text) {
      return i < words.size() && words[i].size() == 1 && !words[i][0].is_value &&
             words[i][0].text == text;
    };
    if (!literal(0, kProgram) || !literal(1, kEosOption)) {
      return error("the command must begin with: gst-launch-1.0 -e");
    }
    words.erase(words.begin(), words.begin() + 2);
    if (words.empty()) return error("there is no pipeline after gst-launch-1.0 -e");
    file_.words = std::move(words);
    return {};
  }

  tl::unexpected<Error> error(const std::string& what) const {
    return fail(ErrorCode::kParse, "line " + std::to_string(line_) + ": " + what);
  }

  /// True when a word follows in this command.
  bool skip_blanks() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else if (c == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') {
        at_ += 2;
        ++line_;
      } else {
        return c != '\n';
      }
    }
    return false;
  }

  Result<LaunchWord> read_word() {
    LaunchWord word;
    std::string literal;
    const auto flush = [&] {
      if (!literal.empty()) word.push_back({std::exchange(literal, {}), false});
    };
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') break;
      if (c == '\'') {
        const auto end = text_.find('\'', at_ + 1);
        if (end == std::string_view::npos) return error("a ' is never closed");
        literal += text_.substr(at_ + 1, end - at_ - 1);
        count_lines(text_.substr(at_, end - at_));
        at_ = end + 1;
      } else if (c == '"') {
        if (auto done = read_quoted(literal, word); !done) return tl::unexpected(done.error());
      } else if (c == '\\') {
        if (at_ + 1 == text_.size()) return error("a backslash ends the file");
        if (text_[at_ + 1] == '\n') {
          ++line_;
        } else {
          literal += text_[at_ + 1];
        }
        at_ += 2;
      } else if (c == '$') {
        return error("a value must stand inside double quotes, or a shell would split it");
      } else if (is_shell_operator(c)) {
        return error(std::string("a shell would act on ") + c + " here; put it in quotes");
      } else {
        literal += c;
        ++at_;
      }
    }
    flush();
    return word;
  }

  Result<> read_quoted(std::string& literal, LaunchWord& word) {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return {};
      }
      if (c == '\\' && at_ + 1 < text_.size() &&
          std::string_view("\"\\$`\n").find(text_[at_ + 1]) != std::string_view::npos) {
        ++at_;
        if (text_[at_] == '\n') {
          ++line_;
        } else {
          literal += text_[at_];
        }
      } else if (c == '`') {
        return error("command substitution is not run here");
      } else if (c == '$') {
        if (!literal.empty()) word.push_back({std::exchange(literal, {}), false});
        auto name = read_value();
        if (!name) return tl::unexpected(name.error());
        word.push_back({std::move(*name), true});
      } else {
        if (c == '\n') ++line_;
        literal += c;
      }
    }
    return error("a \" is never closed");
  }

  /// ${name:-default} or ${name:?what is missing}. Ends on the closing brace.
  Result<std::string> read_value() {
    const auto end = text_.find('}', at_);
    if (text_.substr(at_, 2) != "${" || end == std::string_view::npos) {
      return error("a value is written ${name:-default} or ${name:?what is missing}");
    }
    const auto inside = text_.substr(at_ + 2, end - at_ - 2);
    const auto colon = inside.find(':');
    const auto name = inside.substr(0, colon);
    if (colon == std::string_view::npos || colon + 1 == inside.size() || !is_name(name) ||
        (inside[colon + 1] != '-' && inside[colon + 1] != '?')) {
      return error("a value is written ${name:-default} or ${name:?what is missing}");
    }
    LaunchValue value{.name = std::string(name),
                      .fallback = std::string(inside.substr(colon + 2)),
                      .required = inside[colon + 1] == '?',
                      .help = {}};
    if (value.fallback.find_first_of("\"\\$`\n") != std::string::npos) {
      return error("the default of " + value.name + " may not hold quotes, $, ` or \\");
    }
    const auto known = std::find_if(file_.values.begin(), file_.values.end(),
                                    [&](const LaunchValue& v) { return v.name == value.name; });
    if (known == file_.values.end()) {
      file_.values.push_back(value);
    } else if (known->fallback != value.fallback || known->required != value.required) {
      return error(value.name + " has two different defaults");
    }
    at_ = end;
    return value.name;
  }

  void count_lines(std::string_view part) {
    line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_;
  LaunchFile& file_;
};

/// "  name  help" in a comment; empty name when the line is prose.
std::pair<std::string, std::string> value_help(std::string_view line) {
  if (line.substr(0, 2) != "  ") return {};
  const auto text = trim(line);
  const auto gap = text.find("  ");
  if (gap == std::string_view::npos || !is_name(text.substr(0, gap))) return {};
  return {std::string(text.substr(0, gap)), std::string(trim(text.substr(gap)))};
}

/// Appends a value to a word so that GStreamer reads it back as it is.
/// gst_parse_launchv() escapes the spaces itself, by the quotes it sees.
void append_value(std::string& word, bool in_quotes, std::string_view value) {
  if (value.empty() && !in_quotes) {
    word += "\"\"";  // "location=" alone would swallow the next word.
    return;
  }
  for (const char c : value) {
    const bool plain = (static_cast<unsigned char>(c) & 0x80U) != 0 || c == ' ' ||
                       std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("_./:@%+=,-").find(c) != std::string_view::npos;
    if (in_quotes ? c == '\\' : !plain) word += '\\';
    word += c;
  }
}

}  // namespace

Result<LaunchFile> parse_launch_file(std::string_view text) {
  if (text.size() > kMaxLaunchBytes) {
    return fail(ErrorCode::kTooLarge,
                "a launch file holds at most " + std::to_string(kMaxLaunchBytes) + " bytes");
  }
  if (text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kParse, "this is not a text file");
  }
  LaunchFile file;
  std::vector<std::pair<std::string, std::string>> helps;
  std::size_t line_number = 1;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    if (!trim(line).empty() && trim(line).front() != '#') break;
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (trim(line).empty()) continue;
    line.remove_prefix(line.find('#') + 1);
    if (line.find("SPDX-") != std::string_view::npos) continue;
    if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    if (file.summary.empty()) file.summary = std::string(trim(line));
    if (auto help = value_help(line); !help.first.empty()) helps.push_back(std::move(help));
    if (!file.comment.empty() || !trim(line).empty()) file.comment += std::string(line) + "\n";
  }
  if (auto done = Reader(text, line_number, file).read(); !done) {
    return tl::unexpected(done.error());
  }
  for (auto& value : file.values) {
    const auto help = std::find_if(helps.begin(), helps.end(),
                                   [&](const auto& h) { return h.first == value.name; });
    if (help != helps.end()) value.help = help->second;
  }
  return file;
}

Result<LaunchArguments> parse_launch_arguments(const std::vector<std::string>& arguments) {
  LaunchArguments result;
  for (const auto& argument : arguments) {
    const auto equals = argument.find('=');
    std::string key = argument.substr(0, equals);
    std::replace(key.begin(), key.end(), '-', '_');
    if (equals == std::string::npos || !is_name(key)) {
      return fail(ErrorCode::kInvalid,
                  "\"" + argument + "\" is not key=value; for example width=1280");
    }
    if (!result.emplace(key, argument.substr(equals + 1)).second) {
      return fail(ErrorCode::kInvalid, key + " is given twice");
    }
  }
  return result;
}

Result<std::vector<std::string>> fill_launch_words(const LaunchFile& file,
                                                   const LaunchArguments& arguments) {
  LaunchArguments values;
  for (const auto& value : file.values) {
    const auto given = arguments.find(value.name);
    // As in a shell's ${name:-default}, an empty value is no value.
    if (given != arguments.end() && !given->second.empty()) {
      values[value.name] = given->second;
    } else if (value.required) {
      return fail(ErrorCode::kInvalid, value.name + " is missing: " + value.fallback +
                                           "; give it as " + value.name + "=…");
    } else {
      values[value.name] = value.fallback;
    }
  }
  for (const auto& [key, value] : arguments) {
    if (values.count(key) == 0) {
      std::string known;
      for (const auto& v : file.values) known += (known.empty() ? "" : ", ") + v.name;
      return fail(ErrorCode::kNotFound, "there is no value named " + key + " here" +
                                            (known.empty() ? "" : "; there are: " + known));
    }
    if (value.size() > kMaxLaunchValueBytes) {
      return fail(ErrorCode::kTooLarge,
                  key + " is longer than " + std::to_string(kMaxLaunchValueBytes) + " bytes");
    }
    const auto bad = std::find_if(value.begin(), value.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"';
    });
    if (bad != value.end()) {
      return fail(ErrorCode::kInvalid,
                  key + " may not hold line breaks, control characters or double quotes");
    }
  }
  std::vector<std::string> words;
  for (const auto& pieces : file.words) {
    std::string word;
    bool in_quotes = false;  // GStreamer's own quotes, which stay in the word.
    for (const auto& piece : pieces) {
      if (piece.is_value) {
        append_value(word, in_quotes, values[piece.text]);
        continue;
      }
      for (const char c : piece.text) {
        if (c == '"' && (word.empty() || word.back() != '\\')) in_quotes = !in_quotes;
        word += c;
      }
    }
    words.push_back(std::move(word));
  }
  return words;
}

std::string to_shell_command(const std::vector<std::string>& words) {
  std::string command = std::string(kProgram) + " " + std::string(kEosOption);
  for (const auto& word : words) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
             std::string_view("_./:@%+=,-!").find(c) != std::string_view::npos;
    });
    command += ' ';
    if (plain) {
      command += word;
      continue;
    }
    command += '\'';
    for (const char c : word) {
      if (c == '\'') {
        command += "'\\''";
      } else {
        command += c;
      }
    }
    command += '\'';
  }
  return command;
}

}  // namespace sotto
