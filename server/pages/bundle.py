#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pages as they are published: every file of web/ that is served, the same bytes each time.

Into each page go the hashes of the scripts and styles it loads (subresource integrity, and for
modules the import map's), so that a page runs nothing but what it was published with. SHA256SUMS.txt
lists all files as sha256sum does; the SHA-256 of that list is the bundle's hash.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import re
import sys
import urllib.request

SERVED = {".html", ".js", ".mjs", ".css", ".svg", ".png", ".ico", ".webmanifest", ".json", ".woff2",
          ".txt"}
LIST = "SHA256SUMS.txt"
MAX_FILE = 16 << 20  # What the server itself serves at most.


def sources(root: pathlib.Path) -> list[pathlib.Path]:
    """The files that are served, in the order of the list."""
    return sorted((path for path in root.rglob("*")
                   if path.is_file() and path.suffix in SERVED
                   and not any(part.startswith(".") for part in path.relative_to(root).parts)),
                  key=lambda path: path.relative_to(root).as_posix().encode())


def integrity(data: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def with_integrity(page: str, files: dict[str, bytes]) -> str:
    """The page with a hash beside everything it loads; the map of modules stands first."""
    modules = {f"./{name}": integrity(data) for name, data in files.items() if name.endswith(".js")}
    mapped = json.dumps({"integrity": modules}, separators=(",", ":"))

    def hashed(match: re.Match) -> str:
        return f'{match[0]} integrity="{integrity(files[match[1]])}"'

    page = re.sub(r'<link rel="stylesheet" href="([^"]+)"', hashed, page)
    page = re.sub(r'<script type="module" src="([^"]+)"', hashed, page)
    return page.replace("<script type=\"module\"",
                        f'<script type="importmap">{mapped}</script>\n  <script type="module"', 1)


def bundle(root: pathlib.Path) -> dict[str, bytes]:
    """From path to content, by path, with the list."""
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in sources(root)}
    if LIST in files:
        sys.exit(f"error: {root} is a bundle itself: it holds {LIST}")
    for name, data in files.items():
        if name.endswith(".html"):
            files[name] = with_integrity(data.decode(), files).encode()
    files[LIST] = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n"
                          for name, data in files.items()).encode()
    return dict(sorted(files.items()))


def fetch(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read(MAX_FILE + 1)


def check(files: dict[str, bytes], address: str) -> list[str]:
    """What differs at `address`. Files that are there beside ours are not seen."""
    address = address.rstrip("/")
    faults = []
    for name, data in files.items():
        try:
            if fetch(f"{address}/{name}") != data:
                faults.append(f"{name} is another")
        except OSError as error:
            faults.append(f"{name}: {error}")
    return faults


def main() -> None:
    root = pathlib.Path(__file__).resolve().parents[2] / "web"
    parser = argparse.ArgumentParser(
        prog="scripts/web-bundle", description="Makes or checks the pages as they are published.")
    parser.add_argument("--root", type=pathlib.Path, default=root, help="the pages' sources")
    parser.add_argument("--check", metavar="ADDRESS",
                        help="compares what is served at ADDRESS with this tree's bundle")
    parser.add_argument("folder", type=pathlib.Path, nargs="?", help="where to write the bundle")
    arguments = parser.parse_args()
    files = bundle(arguments.root)
    for name, data in files.items() if arguments.folder else ():
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(hashlib.sha256(files[LIST]).hexdigest())
    if arguments.check and (faults := check(files, arguments.check)):
        sys.exit("\n".join([*faults, f"error: {arguments.check} does not serve this bundle"]))


if __name__ == "__main__":
    main()
