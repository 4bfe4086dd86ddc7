// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A race on purpose. ThreadSanitizer must report it: a leg that cannot find this one finds nothing.
#include <thread>

int main() {
  int shared = 0;
  std::thread other([&] {
    for (int i = 0; i < 100'000; ++i) ++shared;
  });
  for (int i = 0; i < 100'000; ++i) ++shared;
  other.join();
  return shared == 0 ? 1 : 0;
}
