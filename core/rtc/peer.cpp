// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/rtc/peer.h"

namespace sotto::rtc {

std::string_view name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::kLocal: return "local";
    case CloseReason::kRemote: return "remote";
    case CloseReason::kIceFailed: return "ice-failed";
    case CloseReason::kDtlsFailed: return "dtls-failed";
    case CloseReason::kWrongCertificate: return "wrong-certificate";
    case CloseReason::kConnectTimeout: return "connect-timeout";
    case CloseReason::kSilence: return "silence";
    case CloseReason::kInternal: return "internal";
  }
  return "internal";
}

}  // namespace sotto::rtc
