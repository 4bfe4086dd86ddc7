#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the models of the keys' protocol with spin: as written nothing is wrong with them, and each
seeded fault is found, by the assertion that is there for it."""
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMIT_S = 150
# Model, fault, part of the assertion that must fail.
RUNS = [
    ("handshake", 0, None),
    ("handshake", 1, "b_peer[a_er]==1"),
    ("handshake", 2, "a_open"),
    ("handshake", 3, "b_answered[a_er]"),
    ("epochs", 0, None),
    ("epochs", 1, "known[key_of[in_use]]"),
    ("epochs", 2, "seen"),
    ("epochs", 3, "shown_a[e]&1"),
    ("epochs", 4, "used[keys]"),
    ("epochs", 5, "shown_a[e]==shown_b[e]"),
    ("epochs", 6, "shown_a[e]==shown_b[e]"),
    ("epochs", 7, "seen"),
    ("epochs", 8, "seen"),
]


def check(model, fault, expected):
    with tempfile.TemporaryDirectory() as folder:
        def run(*command):
            return subprocess.run(command, cwd=folder, capture_output=True, text=True,
                                  timeout=LIMIT_S)
        made = run("spin", "-a", f"-DFAULT={fault}", str(HERE / f"{model}.pml"))
        if made.returncode != 0:
            return f"spin: {made.stdout}{made.stderr}"
        built = run("cc", "-O0", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
        if built.returncode != 0:
            return f"cc: {built.stderr[:800]}"
        out = run("./pan", "-E", "-m100000", "-w20").stdout
        errors = re.search(r"errors: (\d+)", out)
        states = re.search(r"(\d+) states, stored", out)
        if not errors or not states or "max search depth too small" in out:
            return f"the search did not end: {out}"
        if expected is None:
            if errors[1] != "0" or int(states[1]) < 100:
                return f"wanted no error among many states: {out}"
            return f"ok: {states[1]} states, no error"
        wrong = re.search(r"assertion violated (.*) \(at depth", out)
        if not wrong:
            return f"the fault was not found: {out}"
        text = re.sub(r"[\s()]", "", wrong[1])
        if re.sub(r"[\s()]", "", expected) not in text:
            return f"another assertion failed: {wrong[1]}"
        return f"ok: found after {states[1]} states by {wrong[1]}"


def main():
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda each: check(*each), RUNS))
    bad = False
    for (model, fault, _), result in zip(RUNS, results):
        print(f"{model}, fault {fault}: {result}")
        bad = bad or not result.startswith("ok")
    return 1 if bad else 0


sys.exit(main())
