// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The numbers of the Janus API's core errors. Clients branch on them: they never change.
#pragma once

#include "server/janus/json.h"

#include <string>

namespace sotto::server::janus {

enum class Code : int {
  kUnauthorized = 403,        ///< Wrong or missing API secret or token.
  kUnauthorizedPlugin = 405,  ///< The token may not use this plugin.
  kTransport = 450,           ///< Specific to a transport, e.g. an HTTP verb we do not serve.
  kMissingRequest = 452,
  kUnknownRequest = 453,
  kInvalidJson = 454,
  kInvalidJsonObject = 455,
  kMissingElement = 456,
  kInvalidPath = 457,  ///< The verb is not valid in this scope, or path and body disagree.
  kSessionNotFound = 458,
  kHandleNotFound = 459,
  kPluginNotFound = 460,
  kPluginAttach = 461,
  kPluginMessage = 462,
  kPluginDetach = 463,
  kJsepUnknownType = 464,
  kJsepInvalidSdp = 465,
  kTrickleInvalidStream = 466,
  kInvalidElementType = 467,
  kSessionConflict = 468,
  kUnexpectedAnswer = 469,
  kTokenNotFound = 470,
  kWebrtcState = 471,
  kNotAccepting = 472,
  kUnknown = 490,
};

/// Why a request is refused; becomes the "error" reply.
struct Refusal {
  Code code = Code::kUnknown;
  std::string reason;
};

/// {"janus":"error","session_id"?,"transaction"?,"error":{"code","reason"}}
Json error_reply(const Refusal& refusal, const std::string& transaction = {},
                 std::uint64_t session_id = 0);

}  // namespace sotto::server::janus
