// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/sdp/again.h"

#include <algorithm>
#include <charconv>

namespace sotto::rtc::sdp {
namespace {

bool sends(Direction d) { return d == Direction::kSendOnly || d == Direction::kSendRecv; }
bool receives(Direction d) { return d == Direction::kRecvOnly || d == Direction::kSendRecv; }

/// What is left of our first answer's direction when they offer this one (RFC 3264, 6.1).
Direction still(Direction ours, Direction theirs) {
  const bool send = sends(ours) && receives(theirs);
  const bool receive = receives(ours) && sends(theirs);
  if (send) return receive ? Direction::kSendRecv : Direction::kSendOnly;
  return receive ? Direction::kRecvOnly : Direction::kInactive;
}

tl::unexpected<Error> unsupported(const std::string& what) {
  return fail(ErrorCode::kUnsupported, "renegotiation: " + what + " needs a new session");
}

Result<> check_section(const Media& now, const Media& first, const Media& answered) {
  const std::string mid = now.mid();
  if (mid != first.mid() || now.kind != first.kind) return unsupported("another section " + mid);
  if (answered.rejected()) return {};
  if (now.rejected()) return unsupported("giving up section " + mid);
  if (now.value("ice-ufrag") != first.value("ice-ufrag") ||
      now.value("ice-pwd") != first.value("ice-pwd")) {
    return unsupported("an ICE restart");
  }
  if (now.kind == MediaKind::kData) return {};
  const auto chosen = answered.payload_types();
  const auto offered = now.payload_types();
  const bool kept = std::all_of(chosen.begin(), chosen.end(), [&](int type) {
    return std::find(offered.begin(), offered.end(), type) != offered.end();
  });
  if (!kept) return unsupported("another codec in section " + mid);
  return {};
}

/// The o= line's version, which counts the descriptions of a session (RFC 8866, 5.2).
void count_version(Description& description, std::uint64_t version) {
  for (auto& line : description.session_lines) {
    if (line.rfind("o=", 0) != 0) continue;
    const auto name_end = line.find(' ');
    const auto id_end = name_end == std::string::npos ? name_end : line.find(' ', name_end + 1);
    const auto end = id_end == std::string::npos ? id_end : line.find(' ', id_end + 1);
    if (end == std::string::npos) return;
    std::uint64_t first = 0;
    std::from_chars(line.data() + id_end + 1, line.data() + end, first);
    line = line.substr(0, id_end + 1) + std::to_string(first + version) + line.substr(end);
  }
}

}  // namespace

Result<Description> answer_again(const Description& offer, const Description& first_offer,
                                 const Description& first_answer, std::uint64_t version) {
  if (offer.media.size() != first_offer.media.size() ||
      offer.media.size() != first_answer.media.size()) {
    return unsupported("another number of sections");
  }
  const auto print = offer.fingerprint(0);
  const auto first_print = first_offer.fingerprint(0);
  if (!print) return tl::unexpected<Error>(print.error());
  if (!first_print || print->algorithm != first_print->algorithm ||
      print->digest != first_print->digest) {
    return unsupported("another certificate");
  }
  Description answer = first_answer;
  for (std::size_t i = 0; i < offer.media.size(); ++i) {
    auto& section = answer.media[i];
    auto checked = check_section(offer.media[i], first_offer.media[i], section);
    if (!checked) return tl::unexpected<Error>(checked.error());
    if (section.rejected() || section.kind == MediaKind::kData) continue;
    section.set_direction(still(section.direction(), offer.media[i].direction()));
  }
  count_version(answer, version);
  return answer;
}

}  // namespace sotto::rtc::sdp
