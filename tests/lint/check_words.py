#!/usr/bin/env python3
"""Fail on words that have no place in a library.

usage: check_words.py ROOT

Only main ends the process; only base reads the host's clock; work that is left
to do is an entry in the tracker, not a mark in the source.
"""
import pathlib
import re
import sys

LAYERS = ["base", "mem", "cpu", "jit", "devices", "machine", "frontend"]
SUFFIXES = {".c", ".h", ".S", ".def", ".sem"}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# (what, pattern, layers it is forbidden in, files that may); comments count
# for the last rule only.
RULES = [
    ("ends the process", r"(?<![.>\w])(_?[eE]xit|quick_exit|abort)\s*\(",
     LAYERS, {"base/alloc.c", "frontend/main.c"}),
    ("reads the host's clock",
     r"\b(clock_gettime|gettimeofday|time)\s*\(\s*(CLOCK_|NULL|&|0)",
     ["mem", "cpu", "devices"], set()),
    ("leaves a mark", r"\b(TODO|FIXME|XXX|HACK)\b", LAYERS, set()),
]


def check_file(name, layer, text, bad):
    code = COMMENT.sub(lambda c: "\n" * c[0].count("\n"), text)
    for what, pattern, layers, exempt in RULES:
        where = text if what == "leaves a mark" else code
        if layer not in layers or name in exempt:
            continue
        for found in re.finditer(pattern, where):
            line = where.count("\n", 0, found.start()) + 1
            bad.append(f"{name}:{line}: {what}: {found[0]}")


def main():
    root = pathlib.Path(sys.argv[1])
    bad, count = [], 0
    for layer in LAYERS:
        for path in sorted((root / layer).rglob("*")):
            if path.suffix in SUFFIXES:
                count += 1
                check_file(path.relative_to(root).as_posix(), layer,
                           path.read_text(), bad)
    if not count:
        bad.append("no sources found")
    print("\n".join(bad) or f"words ok: {count} files")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
