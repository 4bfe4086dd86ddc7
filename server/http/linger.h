// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The last words on a connection whose request was not read to its end.
#pragma once

#include <gio/gio.h>

#include <string>

namespace sotto::server {

/// Writes `answer`, then reads and forgets what the client still sends, within bounds, so that it
/// gets the answer and not a reset; then closes. Takes its own references.
void answer_and_linger(GIOStream* stream, GSocket* socket, std::string answer);

}  // namespace sotto::server
