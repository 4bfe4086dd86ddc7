#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns the bundle of web/ into a C++ source, so that the program serves its pages from anywhere."""

import hashlib
import pathlib
import sys

import bundle

LINE = 100  # Bytes of a file per line of source.


def literal(data: bytes) -> str:
    """A string literal in octal: three digits end by themselves, unlike hexadecimal."""
    lines = [data[i:i + LINE] for i in range(0, len(data), LINE)] or [b""]
    return "\n".join('"' + "".join(f"\\{byte:03o}" for byte in line) + '"' for line in lines)


def main() -> None:
    output, depfile, root = (pathlib.Path(argument) for argument in sys.argv[1:4])
    entries = []
    for name, data in bundle.bundle(root).items():
        etag = hashlib.sha256(data).hexdigest()[:32]
        entries.append(f'{{"{name}", "{etag}", std::string_view({literal(data)}, {len(data)})}},')
    output.write_text("""// Made by embed.py from web/.
#include "server/pages/embedded.h"

#include <array>

namespace sotto::server {
namespace {
const std::array<EmbeddedFile, %d> kFiles = {{
%s
}};
}  // namespace
std::span<const EmbeddedFile> embedded_files() { return kFiles; }
}  // namespace sotto::server
""" % (len(entries), "\n".join(entries)))
    # Folders are inputs too: a new file changes its folder.
    inputs = [root, *(path for path in root.rglob("*") if path.is_dir()), *bundle.sources(root),
              pathlib.Path(bundle.__file__)]
    depfile.write_text(f"{output}: " + " ".join(str(path).replace(" ", "\\ ") for path in inputs)
                       + "\n")


main()
