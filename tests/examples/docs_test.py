#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documentation says of elements is what they are, and its commands run.

A fenced block `sh runnable` in docs/ or README.md is run as it is; every other gst-launch-1.0 line,
there and in the elements' own comments, must at least name elements, properties and links that exist.
"""
import os
import pathlib
import re
import shlex
import subprocess
import unittest

TOP = pathlib.Path(os.environ["SOTTO_SOURCE_ROOT"])
BUILD = pathlib.Path(os.environ["SOTTO_BUILD_ROOT"])
PATIENCE = 120  # Seconds; a bound on waiting, never a measure.
PAGES = sorted([TOP / "README.md", *(TOP / "docs").rglob("*.md")])
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.S | re.M)
# Elements that come with hardware only.
HARDWARE = ("v4l2h264enc",)


def commands(text):
    """gst-launch-1.0 commands of a text, their continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.strip().lstrip("$ ") for line in joined.splitlines()
            if re.match(r"\s*(\$ )?gst-launch-1\.0 ", line)]


def element_comments():
    for path in sorted((TOP / "elements").rglob("*.cpp")):
        for block in re.findall(r"/\*\*(.*?)\*/", path.read_text(encoding="utf-8"), re.S):
            lines = [re.sub(r"^ \* ?", "", line) for line in block.splitlines()]
            for code in re.findall(r"\|\[\n(.*?)\n\]\|", "\n".join(lines), re.S):
                if code.lstrip().startswith("gst-launch-1.0"):
                    yield path.name, " ".join(code.replace("\\\n", " ").split())


def parses(command):
    """None, or why GStreamer would not build it. `…` stands for anything."""
    if "…" in command:
        return None
    words = [w for w in shlex.split(command)[1:] if w not in ("-e", "-v", "-q")]
    # The words are handed over as one file's words: nothing runs.
    body = " ".join(shlex.quote(w) for w in words)
    path = BUILD / "meson-private" / f"doc-{os.getpid()}.launch"
    path.write_text(f"# A line of the documentation.\ngst-launch-1.0 -e {body}\n")
    try:
        done = subprocess.run([BUILD / "cli" / "sotto", "launch", "--check", path], text=True,
                              capture_output=True, timeout=PATIENCE)
    finally:
        path.unlink()
    if done.returncode == 0 or any(f'"{name}"' in done.stderr for name in HARDWARE):
        return None
    return done.stderr


class DocsTest(unittest.TestCase):
    def test_element_pages_are_current(self):
        done = subprocess.run([TOP / "scripts" / "element-reference", "--check"], text=True,
                              capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_command_names_what_exists(self):
        found = 0
        for page in PAGES:
            for _, code in FENCE.findall(page.read_text(encoding="utf-8")):
                for command in commands(code):
                    found += 1
                    self.assertIsNone(parses(command), f"{page.name}: {command}")
        for name, command in element_comments():
            found += 1
            self.assertIsNone(parses(command), f"{name}: {command}")
        self.assertGreater(found, 0)

    def test_runnable_blocks_run(self):
        ran = 0
        env = {**os.environ, "PATH": f"{BUILD / 'cli'}:{os.environ['PATH']}"}
        for page in PAGES:
            for info, code in FENCE.findall(page.read_text(encoding="utf-8")):
                if info.split() == ["sh", "runnable"]:
                    ran += 1
                    done = subprocess.run(["sh", "-e", "-c", code], env=env, text=True,
                                          capture_output=True, timeout=PATIENCE, cwd=BUILD)
                    self.assertEqual(done.returncode, 0, f"{page.name}: {code}\n{done.stderr}")
        self.assertGreater(ran, 0)


if __name__ == "__main__":
    unittest.main()
