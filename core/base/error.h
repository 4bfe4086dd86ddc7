// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one error type of the project. Cores return Result<T>; elements turn an Error into a
// GStreamer error message and the server into an HTTP status, each in one place.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <string_view>

namespace sotto {

/// What went wrong, coarse enough to choose an answer by. The message says the rest.
enum class ErrorCode {
  kInvalid,          ///< Well-formed, but its content makes no sense.
  kParse,            ///< Bytes that do not follow their grammar.
  kTooLarge,         ///< A named limit on size, depth or number was passed.
  kNotFound,         ///< No such thing.
  kExists,           ///< The name is taken.
  kUnauthenticated,  ///< No credentials, or wrong ones.
  kDenied,           ///< Known, but not allowed.
  kConflict,         ///< Not possible in the present state.
  kPrecondition,     ///< A condition the caller named does not hold (HTTP 412).
  kUnsupported,      ///< A codec, option or verb we do not have.
  kUnavailable,      ///< Overload or a part that is not there now; try again later.
  kTimeout,          ///< A deadline passed.
  kIo,               ///< File or network.
  kCrypto,           ///< Authentication of data failed, or a cryptographic library refused.
  kInternal,         ///< A defect of ours.
};

/// The code's name in kebab-case, as it appears in logs, metrics and API answers.
std::string_view name_of(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  ///< For people: what happened and, where possible, what to do. No secrets.
};

template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace sotto
