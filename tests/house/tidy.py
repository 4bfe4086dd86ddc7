#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""clang-tidy 14 over every C++ file of ours that the build folder compiles.

usage: tidy.py BUILD-FOLDER [PATH-PREFIX…]
"""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def check(build, path):
    # The flags are gcc's; clang counts sign conversions among -Wconversion, gcc in C++ does not.
    done = subprocess.run(
        ["clang-tidy-14", "-p", str(build), "--quiet", "--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-sign-conversion",
         str(path)], cwd=TOP, capture_output=True, text=True)
    return path, done.returncode, done.stdout


def main(build, *prefixes):
    build = Path(build).resolve()
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    files = {Path(os.path.normpath(Path(c["directory"]) / c["file"])) for c in commands}
    files = sorted(f for f in files if f.suffix == ".cpp" and TOP in f.parents
                   and build not in f.parents
                   and (not prefixes or str(f.relative_to(TOP)).startswith(prefixes)))
    bad = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, output in pool.map(lambda f: check(build, f), files):
            if status != 0:
                bad += 1
                print(f"-- {path.relative_to(TOP)}\n{output}")
    print(f"{len(files)} files read, {bad} with findings")
    return 1 if bad or not files else 0


sys.exit(main(*sys.argv[1:]))
