#!/usr/bin/env python3
"""Compares the table with the symbols of a real libtritonserver, or of a backend that needs them.

    compare_exports.py LIBRARY

Prints the names that only one side has and exits 1 if there are any. A library that defines entries of the host is
compared with all server-provided entries; one that does not is a plug-in, whose undefined entries must all be there.
Run by hand when the table moves to a new version of the interface.
"""

import pathlib
import subprocess
import sys

import generate


def symbols(library, which):
    output = subprocess.run(["nm", "-D", which, library], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in output.splitlines() if line.strip()}
    return {name for name in names if generate.PREFIX.fullmatch(name)}


def main(argv):
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    table = generate.load(pathlib.Path(__file__).parent / "triton.yaml")
    entries = {entry.name for entry in table.server_entries()}
    defined = symbols(argv[0], "--defined-only")
    if defined & entries:
        missing, extra = defined - entries, entries - defined
    else:
        missing, extra = symbols(argv[0], "--undefined-only") - entries, set()
    for name in sorted(missing):
        print(f"only in the library: {name}")
    for name in sorted(extra):
        print(f"only in the table: {name}")
    print(f"{len(missing)} only in the library, {len(extra)} only in the table")
    return 1 if missing or extra else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
