#!/usr/bin/env python3
"""Fail if a layer's library has writable static storage.

usage: check_globals.py OBJDUMP LIBRARY...

A machine is a value: two can live in one process, and a test builds a fresh
one.  Constant data that needs relocation (.data.rel.ro) is not writable once
the program runs.
"""
import os
import re
import subprocess
import sys

# Set once by main before a machine exists: base/log.h.
ALLOWED = {"log_level", "log_stream"}
# Each call site of log_guest and log_unimp counts for itself, a thread each.
# gcc calls it log_count_.0, clang function.log_count_.1
COUNTER = re.compile(r"(^|\.)log_count_(\.|$)")
# Marks of the assembler, not storage: $d and .LANCHOR0 on AArch64.
MARK = re.compile(r"^(\$|\.L)")
# objdump -t: value, seven flag letters, section, size, name.
SYMBOL = re.compile(r"^[0-9a-f]+ .{7} (\S+)\t[0-9a-f]+ (?:\.hidden )?(\S+)$")
WRITABLE = re.compile(r"^(\*COM\*|\.(data|bss|tdata|tbss)(?!\.rel\.ro)\b.*)$")


def writable_symbols(objdump, library):
    """Yields (name, is it writable) for each symbol of the library."""
    table = subprocess.run([objdump, "-t", library], capture_output=True,
                           text=True, check=True).stdout
    for line in table.splitlines():
        found = SYMBOL.match(line)
        if found and not MARK.match(found[2]):
            section, name = found.groups()
            yield name, bool(WRITABLE.match(section)) and name != section


def main():
    objdump, libraries = sys.argv[1], sys.argv[2:]
    bad, seen = [], 0
    for library in libraries:
        if not os.path.exists(library):
            bad.append(f"{library} is not built")
            continue
        for name, writable in writable_symbols(objdump, library):
            seen += 1
            if writable and name not in ALLOWED and not COUNTER.search(name):
                base = os.path.basename(library)
                bad.append(f"{base}: {name} is a writable global")
    if not seen:
        bad.append("no symbols found")
    print("\n".join(bad) or
          f"globals ok: {seen} symbols in {len(libraries)} libraries")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
