#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An include may point down the layers only: core <- elements <- pipelines <- server.

Also: core includes nothing of GLib or GStreamer, and no feature of the server includes another.
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LAYERS = ["core", "elements", "pipelines", "server"]
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')
FOREIGN_TO_CORE = re.compile(r"^(gst/|glib|gio/|gobject|libsoup/|nice/)")
# Folders of the server that every feature stands on; all others are features.
SERVER_BASE = {"base", "config", "http", "auth", "registry", "metrics", "signaling"}
# The lists of features, and the program, name them all: that is what they are for.
SERVER_ROOT = {"server/features.cpp", "server/main.cpp"}


def faults(name, target):
    """What is wrong with file `name` including `target`, or None."""
    layer, aim = name.split("/")[0], target.split("/")[0]
    if layer == "core" and FOREIGN_TO_CORE.match(target):
        return "core knows no GLib and no GStreamer"
    if layer in LAYERS and aim in LAYERS and LAYERS.index(aim) > LAYERS.index(layer):
        return f"{layer} may not know {aim}"
    if layer == "server" and aim == "server" and name not in SERVER_ROOT:
        mine, theirs = name.split("/")[1], target.split("/")[1]
        if "/" in target[7:] and theirs not in SERVER_BASE and mine != theirs:
            return f"feature {mine} may not know feature {theirs}"
    return None


def self_test():
    assert faults("core/a.h", "elements/b.h")
    assert faults("core/a.h", "gst/gst.h")
    assert faults("pipelines/a/b.h", "server/base/log.h")
    assert faults("server/whip/a.h", "server/janus/b.h")
    assert not faults("server/whip/a.h", "server/http/router.h")
    assert not faults("elements/a.h", "core/base/error.h")


def main():
    self_test()
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *LAYERS], cwd=TOP,
                            capture_output=True, text=True, check=True).stdout.split()
    found, read = [], 0
    for name in listed:
        path = TOP / name
        if path.suffix not in {".h", ".cpp", ".c"} or not path.exists():
            continue
        read += 1
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            fault = match and faults(name, match[1])
            if fault:
                found.append(f"{name}:{number}: {match[1]}: {fault}")
    print("\n".join(found) or f"{read} files keep their layers")
    return 1 if found or read == 0 else 0


sys.exit(main())
