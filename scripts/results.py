#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sums meson test logs up: the slowest suites, what failed, and one closing line.

usage: results.py testlog.json…
"""
import json
import sys


def main(paths):
    rows = []
    for path in paths:
        with open(path, encoding="utf-8") as log:
            rows += [json.loads(line) for line in log if line.strip()]
    good = {"OK", "EXPECTEDFAIL"}
    failed = [r for r in rows if r["result"] not in good | {"SKIP"}]
    skipped = [r for r in rows if r["result"] == "SKIP"]
    print("\nSlowest:")
    for row in sorted(rows, key=lambda r: -r["duration"])[:10]:
        print(f"  {row['duration']:7.1f} s  {row['name']}")
    for row in failed:
        print(f"failed: {row['name']} ({row['result'].lower()})")
    # A skipped test proves nothing, so it counts as a failure: `./test` installs what tests need.
    for row in skipped:
        print(f"skipped, which is not allowed: {row['name']}")
    bad = len(failed) + len(skipped)
    print(f"\n{len(rows) - bad} passed, {bad} failed")
    return 1 if bad or not rows else 0


sys.exit(main(sys.argv[1:]))
