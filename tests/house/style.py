#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a machine can check of our style: formatting, licence lines, file sizes, foreign paths."""
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CODE = {".h", ".cpp", ".c", ".py", ".mjs", ".js", ".css", ".html", ".sh"}
CXX = {".h", ".cpp", ".c"}
MAX_LINES = 1000  # 600 is where one looks for a second idea; here the build stops.
OUTSIDE = re.compile(r"\.\./shared\b|(?<![\w./-])/(work|root)/")


def tracked():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP,
                         capture_output=True, text=True, check=True).stdout
    return [TOP / name for name in out.splitlines() if (TOP / name).is_file()]


def text_faults(path):
    name = path.relative_to(TOP)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    found = []
    if path.suffix in CODE | {".build"} or path.name == "meson.build":
        if "SPDX-License-Identifier: LGPL-2.1-or-later" not in text[:400]:
            found.append(f"{name}: the two SPDX lines are missing")
        if text.count("\n") > MAX_LINES:
            found.append(f"{name}: {text.count(chr(10))} lines; split it by idea")
        if path.suffix == ".h" and "#pragma once" not in text:
            found.append(f"{name}: no #pragma once")
    for number, line in enumerate(text.splitlines(), 1):
        if OUTSIDE.search(line) and path != Path(__file__).resolve():
            found.append(f"{name}:{number}: names a path outside the repository")
        if path.suffix in CODE and line.rstrip() != line:
            found.append(f"{name}:{number}: white space at the end of the line")
    return found


def format_faults(path):
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror", str(path)], cwd=TOP,
                          capture_output=True, text=True)
    if done.returncode == 0:
        return []
    return [f"{path.relative_to(TOP)}: not formatted; run clang-format-14 -i on it"]


def title_faults():
    """Commit titles read `component: effect`, at most 72 characters."""
    log = subprocess.run(["git", "log", "--no-merges", "-n", "200", "--format=%s"], cwd=TOP,
                         capture_output=True, text=True)
    if log.returncode != 0:  # An exported tree has no history to check.
        return []
    form = re.compile(r"^[a-z0-9/_.,+ -]+: \S.*[^.]$", re.IGNORECASE)
    return [f"commit title: {title}" for title in log.stdout.splitlines()
            if len(title) > 72 or not form.match(title)]


def main():
    files = tracked()
    with ThreadPoolExecutor(2) as pool:
        found = [fault for group in pool.map(text_faults, files) for fault in group]
        found += [fault for group in
                  pool.map(format_faults, [f for f in files if f.suffix in CXX]) for fault in group]
    found += title_faults()
    print("\n".join(found) or f"{len(files)} files are in style")
    return 1 if found or not files else 0


sys.exit(main())
