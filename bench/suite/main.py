# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""./bench/run: the benchmarks by name."""

import argparse
import sys

import camera
import common
import fanout
import join

BENCHMARKS = {"fanout": fanout, "join": join, "camera": camera}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./bench/run",
        description="Runs a benchmark. Builds what it needs first. Raw numbers are kept in "
                    "build/bench/.")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    names = parser.add_subparsers(dest="name", metavar="NAME")
    for name, module in BENCHMARKS.items():
        sub = names.add_parser(name, help=module.__doc__.splitlines()[0],
                               description=module.__doc__,
                               formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_options(sub)
        sub.add_argument("--json", action="store_true",
                         help="print the result as one JSON object on the last line")
    options = parser.parse_args()
    if options.list:
        for name, module in BENCHMARKS.items():
            print(f"{name:10} {module.__doc__.splitlines()[0]}")
        return 0
    if options.name is None:
        parser.print_help()
        return 2
    try:
        return BENCHMARKS[options.name].run(options)
    except common.BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
