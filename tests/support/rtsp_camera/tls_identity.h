// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A certificate for 127.0.0.1 that nobody signed, as cameras have them.
#pragma once

#include <gio/gio.h>

#include <string>

namespace sotto::test {

/// Key and certificate in PEM, fresh at every call. Valid for localhost and 127.0.0.1 for a day.
std::string make_identity_pem();

}  // namespace sotto::test
