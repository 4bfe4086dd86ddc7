#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""packaging/debian.list is the one list of packages: well formed, no package twice, none a daemon."""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
GROUPS = {"build", "run", "test", "soak", "daemon"}
# Packages that start a service when installed: they may only be unpacked.
SERVICES = {"janus", "coturn", "etcd-server", "mosquitto", "rabbitmq-server", "kamailio", "nginx"}


def main():
    seen, found = {}, []
    lines = (TOP / "packaging/debian.list").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([a-z]+) ([a-z0-9][a-z0-9+.-]+)", line)
        if not match or match[1] not in GROUPS:
            found.append(f"line {number}: want `group package`, got `{line}`")
            continue
        group, package = match.groups()
        if package in seen:
            found.append(f"line {number}: {package} is listed in {seen[package]} already")
        seen[package] = group
        if (package in SERVICES) != (group == "daemon"):
            found.append(f"line {number}: {package} in group {group}: services are daemons, and only they")
    print("\n".join(found) or f"{len(seen)} packages")
    return 1 if found or not seen else 0


sys.exit(main())
