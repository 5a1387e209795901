#!/usr/bin/env python3
"""Fail if a file includes what its layer may not see, or in a circle.

usage: check_layers.py ROOT

Project includes are written in full from the root.  A unit test sees what the
layer that it tests sees.
"""
import pathlib
import re
import sys

# What a layer may name beside itself, as beginnings of a path.
MAY_SEE = {
    "base": [],
    "mem": ["base"],
    "cpu": ["base", "mem"],
    "jit": ["base", "mem", "cpu"],
    "devices": ["base", "mem"],
    "machine": ["base", "mem", "cpu", "jit", "devices"],
    "frontend": ["base", "machine", "devices/host"],
}
SUFFIXES = {".c", ".h", ".S", ".def", ".sem", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES)


def check_file(root, path, allowed, bad):
    """Returns what the file includes; appends what it must not to bad."""
    name = path.relative_to(root).as_posix()
    includes = INCLUDE.findall(path.read_text())
    for inc in includes:
        if not any(inc.startswith(a + "/") for a in allowed):
            bad.append(f"{name}: must not include {inc}")
        elif not (root / inc).is_file():
            bad.append(f"{name}: {inc} does not exist")
    return includes


def find_circles(edges, bad):
    """Depth-first search; `done` files are in no circle yet unreported."""
    done = set()

    def visit(name, trail):
        if name in trail:
            circle = trail[trail.index(name):] + [name]
            bad.append("circle: " + " -> ".join(circle))
            return
        if name in done:
            return
        for inc in edges.get(name, []):
            visit(inc, trail + [name])
        done.add(name)

    for name in sorted(edges):
        visit(name, [])


def main():
    root = pathlib.Path(sys.argv[1])
    bad, edges = [], {}
    for layer, below in MAY_SEE.items():
        allowed = below + [layer]
        for path in sources(root / layer):
            name = path.relative_to(root).as_posix()
            edges[name] = check_file(root, path, allowed, bad)
        for path in sources(root / "tests/unit" / layer):
            check_file(root, path, allowed + ["tests"], bad)
    find_circles(edges, bad)
    if not edges:
        bad.append("no sources found")
    print("\n".join(bad) or f"layers ok: {len(edges)} files")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
