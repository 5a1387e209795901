#!/usr/bin/env python3
"""Print docs/outline.md: every source file with the first sentence of its
comment.

usage: tools/outline.py          prints it
       tools/outline.py --check  fails if docs/outline.md is not that

The comment is the file's first thing; in a header it may follow the include
guard, in a .c file the includes if it stands on lines of its own.  A .c or .S
file without one is described by the header of its name, and left out here.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = ["base", "mem", "cpu", "jit", "devices", "machine", "frontend"]
SUFFIXES = {".c", ".h", ".S", ".def", ".sem"}
# What may stand before the comment: blank lines and preprocessor lines.
COMMENT = re.compile(r"((?:[ \t]*(?:#[^\n]*)?\n)*)/\*(.*?)\*/", re.S)
# A point that an abbreviation ("vol. 1") does not explain.
SENTENCE = re.compile(r"(.*?)\.(?=\s+[A-Z]|\s*$)", re.S)
HEAD = """# Outline

Every file by the first sentence of its comment, in reading order. Made by
`tools/outline.py >docs/outline.md`; a test fails when it is stale.
"""


def first_sentence(path):
    """What the file says it is, or "" if it does not."""
    found = COMMENT.match(path.read_text())
    if not found or (path.suffix == ".c" and found[1] and
                     not found[2].startswith("\n")):
        return ""
    lines = [line.strip().lstrip("*").strip() for line in found[2].split("\n")]
    paragraph = "\n".join(lines).strip().split("\n\n")[0]
    words = " ".join(paragraph.split())
    sentence = SENTENCE.match(words)
    if path.suffix == ".c" and sentence and " " not in sentence[1]:
        return ""  # the heading of an essay
    return (sentence[1] if sentence else words).rstrip(":")


def folder_of(path):
    return path.parent.relative_to(ROOT).as_posix()


def files_of(layer):
    """By folder, a header before the file that it describes."""
    paths = [p for p in (ROOT / layer).rglob("*") if p.suffix in SUFFIXES]
    return sorted(paths, key=lambda p: (folder_of(p), p.stem, p.suffix != ".h",
                                        p.suffix))


def outline():
    out, folder = [HEAD], None
    for layer in LAYERS:
        for path in files_of(layer):
            what = first_sentence(path)
            if not what:
                continue
            if folder != folder_of(path):
                folder = folder_of(path)
                out.append(f"\n## {folder}\n\n")
            out.append(f"- `{path.name}` -- {what}\n")
    return "".join(out)


def main():
    kept = ROOT / "docs/outline.md"
    if sys.argv[1:] != ["--check"]:
        sys.stdout.write(outline())
        return 0
    if kept.exists() and kept.read_text() == outline():
        print("outline ok")
        return 0
    print("docs/outline.md is stale: tools/outline.py >docs/outline.md")
    return 1


if __name__ == "__main__":
    sys.exit(main())
