// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/agent/message.h"

#include "core/keys/secret_cbor.h"
#include "core/sframe/key_schedule.h"

#include <algorithm>

namespace sotto::agent {
namespace {

constexpr std::string_view kHello = "sotto/agent/hello/v1";
constexpr std::string_view kNeed = "sotto/agent/need/v1";
constexpr std::string_view kSpent = "sotto/agent/spent/v1";
constexpr std::string_view kRotate = "sotto/agent/rotate/v1";
constexpr std::string_view kSeal = "sotto/agent/seal/v1";
constexpr std::string_view kOpen = "sotto/agent/open/v1";
constexpr std::string_view kDrop = "sotto/agent/drop/v1";
constexpr std::string_view kNone = "sotto/agent/none/v1";
constexpr std::string_view kDone = "sotto/agent/done/v1";
constexpr std::string_view kRoles[] = {"seal", "open"};
constexpr std::size_t kMaxWord = 32;

std::uint64_t number(Layer layer) { return static_cast<std::uint64_t>(layer); }
std::uint64_t number(sframe::Suite suite) { return static_cast<std::uint64_t>(suite); }

struct Print {
  keys::SecretWriter& out;
  void operator()(const Hello& m) {
    out.array(2).text(kHello).text(kRoles[static_cast<std::size_t>(m.role)]);
  }
  void operator()(const Need& m) { pair(kNeed, m.layer, m.kid); }
  void operator()(const Spent& m) { pair(kSpent, m.layer, m.kid); }
  void operator()(const None& m) { pair(kNone, m.layer, m.kid); }
  void operator()(const Rotate&) { out.array(1).text(kRotate); }
  void operator()(const Done&) { out.array(1).text(kDone); }
  void operator()(const SealWith& m) {
    out.array(6).text(kSeal).number(number(m.layer)).number(number(m.suite)).number(m.kid);
    out.bytes(m.key.view()).number(m.frames);
  }
  void operator()(const OpenWith& m) {
    out.array(5).text(kOpen).number(number(m.layer)).number(number(m.suite)).number(m.kid);
    out.bytes(m.key.view());
  }
  void operator()(const Drop& m) {
    out.array(4).text(kDrop).number(number(m.layer)).number(m.kid).number(m.mask);
  }
  void pair(std::string_view label, Layer layer, std::uint64_t kid) {
    out.array(3).text(label).number(number(layer)).number(kid);
  }
};

/// Reads the fields behind the label; `good` stays true while all of them are what they must be.
class Fields {
 public:
  Fields(cbor::Reader reader, std::uint64_t left) : reader_(reader), left_(left) {}
  bool good() const { return good_ && left_ == 0 && reader_.at_end(); }
  Layer layer() {
    const auto value = any();
    good_ = good_ && (value == 1 || value == 2);
    return value == 1 ? Layer::kInner : Layer::kOuter;
  }
  std::uint64_t any() {
    --left_;
    const auto value = reader_.number();
    good_ = good_ && value.has_value();
    return value.value_or(0);
  }
  sframe::Suite suite() {
    const auto value = any();
    const auto* info =
        value > 0xFFFF ? nullptr : sframe::find_suite(static_cast<std::uint16_t>(value));
    good_ = good_ && info != nullptr;
    return info == nullptr ? sframe::kDefaultSuite : info->suite;
  }
  Secret key() {
    --left_;
    const auto value = reader_.bytes(sframe::kMaxBaseKey);
    good_ = good_ && value && value->size() >= sframe::kMinBaseKey;
    return good_ ? Secret::copy_of(*value) : Secret();
  }
  Role role() {
    --left_;
    const auto value = reader_.text(kMaxWord);
    good_ = good_ && value && (*value == kRoles[0] || *value == kRoles[1]);
    return good_ && *value == kRoles[0] ? Role::kSeal : Role::kOpen;
  }

 private:
  cbor::Reader reader_;
  std::uint64_t left_;
  bool good_ = true;
};

}  // namespace

Secret encode(const Message& message) {
  keys::SecretWriter body(kMaxMessage);
  std::visit(Print{body}, message);
  const auto bytes = body.take();
  Secret out(kLengthSize + bytes.size());
  for (std::size_t i = 0; i < kLengthSize; ++i) {
    out.span()[i] = static_cast<std::uint8_t>(bytes.size() >> (8 * (kLengthSize - 1 - i)));
  }
  std::copy(bytes.view().begin(), bytes.view().end(), out.span().begin() + kLengthSize);
  return out;
}

Result<Message> parse(ByteView bytes) {
  cbor::Reader reader(bytes);
  const auto items = reader.array();
  const auto label = reader.text(kMaxWord);
  const auto refuse = [] { return fail(ErrorCode::kParse, "not a message of a key agent"); };
  if (!items || *items == 0 || !label) return refuse();
  Fields fields(reader, *items - 1);
  Message out;
  if (*label == kHello) {
    out = Hello{fields.role()};
  } else if (*label == kNeed) {
    const auto layer = fields.layer();
    out = Need{layer, fields.any()};
  } else if (*label == kSpent) {
    const auto layer = fields.layer();
    out = Spent{layer, fields.any()};
  } else if (*label == kNone) {
    const auto layer = fields.layer();
    out = None{layer, fields.any()};
  } else if (*label == kRotate) {
    out = Rotate{};
  } else if (*label == kDone) {
    out = Done{};
  } else if (*label == kSeal) {
    SealWith with;
    with.layer = fields.layer();
    with.suite = fields.suite();
    with.kid = fields.any();
    with.key = fields.key();
    with.frames = fields.any();
    out = std::move(with);
  } else if (*label == kOpen) {
    OpenWith with;
    with.layer = fields.layer();
    with.suite = fields.suite();
    with.kid = fields.any();
    with.key = fields.key();
    out = std::move(with);
  } else if (*label == kDrop) {
    const auto layer = fields.layer();
    const auto kid = fields.any();
    out = Drop{layer, kid, fields.any()};
  } else {
    return refuse();
  }
  if (!fields.good()) return refuse();
  return out;
}

Result<std::optional<Message>> Inbox::next() {
  if (size_ < kLengthSize) return std::optional<Message>();
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthSize; ++i) length = (length << 8U) | bytes_.view()[i];
  if (length > kMaxMessage) return fail(ErrorCode::kTooLarge, "a message is too long");
  if (size_ < kLengthSize + length) return std::optional<Message>();
  auto message = parse(bytes_.view().subspan(kLengthSize, length));
  const auto used = kLengthSize + length;
  auto all = bytes_.span();
  std::copy(all.begin() + static_cast<std::ptrdiff_t>(used),
            all.begin() + static_cast<std::ptrdiff_t>(size_), all.begin());
  wipe(all.subspan(size_ - used, used));
  size_ -= used;
  if (!message) return tl::unexpected<Error>(message.error());
  return std::optional<Message>(std::move(*message));
}

}  // namespace sotto::agent
