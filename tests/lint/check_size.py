#!/usr/bin/env python3
"""Report long files and long functions, for people to judge; never fails.

usage: check_size.py ROOT

Functions are measured with universal-ctags, where it is installed.
"""
import pathlib
import shutil
import subprocess
import sys

LAYERS = ["base", "mem", "cpu", "jit", "devices", "machine", "frontend"]
SUFFIXES = {".c", ".h", ".S", ".def", ".sem"}
FILE_LIMIT, TABLE_LIMIT, FUNCTION_LIMIT = 800, 1500, 80
LONGEST = 10  # files listed in any case


def count_lines(path):
    return path.read_text().count("\n")


def report_files(root):
    lines = {}
    for layer in LAYERS:
        paths = [p for p in (root / layer).rglob("*") if p.suffix in SUFFIXES]
        sizes = {p.relative_to(root): count_lines(p) for p in paths}
        print(f"{layer:10} {len(sizes):4} files {sum(sizes.values()):6} lines")
        lines.update(sizes)
    print(f"\nlongest files (limit {FILE_LIMIT}, tables {TABLE_LIMIT}):")
    ranked = sorted(lines.items(), key=lambda item: -item[1])
    for rank, (path, count) in enumerate(ranked):
        limit = TABLE_LIMIT if path.suffix == ".def" else FILE_LIMIT
        if rank < LONGEST or count > limit:
            print(f"  {count:6} {path}{'  TOO LONG' * (count > limit)}")


def function_sizes(root):
    """(lines, function, file), the longest first."""
    files = [str(p) for layer in LAYERS for p in (root / layer).rglob("*.[ch]")]
    tags = subprocess.run(
        ["ctags", "-x", "--c-kinds=f", "-L", "-",
         "--_xformat=%{line}\t%{end}\t%{name}\t%{input}"],
        input="\n".join(files), capture_output=True, text=True, check=True)
    sizes = []
    for row in tags.stdout.splitlines():
        first, last, name, path = row.split("\t")
        if last:
            sizes.append((int(last) - int(first) + 1, name,
                          pathlib.Path(path).relative_to(root)))
    return sorted(sizes, key=lambda row: -row[0])


def report_functions(root):
    if not shutil.which("ctags"):
        print("\nfunctions not measured: universal-ctags is missing")
        return
    sizes = function_sizes(root)
    if sizes:
        print(f"\n{len(sizes)} functions, median {sizes[len(sizes) // 2][0]} "
              f"lines; over {FUNCTION_LIMIT}:")
    for lines, name, path in sizes:
        if lines > FUNCTION_LIMIT:
            print(f"  {lines:6} {path}:{name}")


def main():
    root = pathlib.Path(sys.argv[1])
    report_files(root)
    report_functions(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
