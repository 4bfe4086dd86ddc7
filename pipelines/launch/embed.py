#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the C++ file that carries every launch file: embed.py OUTPUT FILE…"""
import pathlib
import sys


def main() -> None:
    output, *files = sys.argv[1:]
    entries = []
    for path in sorted((pathlib.Path(f) for f in files), key=lambda p: p.stem):
        text = path.read_text(encoding="utf-8")
        if ')launch"' in text:
            sys.exit(f"{path}: holds the end mark of the literal it is embedded in")
        entries.append(f'    {{"{path.stem}", R"launch({text})launch"}},\n')
    pathlib.Path(output).write_text(
        "// Made from pipelines/*.launch by pipelines/launch/embed.py.\n"
        '#include "pipelines/launch/launch_catalog.h"\n\n'
        "namespace sotto {\nnamespace {\nconstexpr EmbeddedLaunch kAll[] = {\n"
        + "".join(entries)
        + "};\n}  // namespace\n\n"
        "std::span<const EmbeddedLaunch> embedded_launches() { return kAll; }\n\n"
        "}  // namespace sotto\n", encoding="utf-8")


if __name__ == "__main__":
    main()
