#!/usr/bin/env python3
"""Real programs in a Debian guest find what they find natively.

usage: run.py COPAL CHECK [--accel NAME] [--cpu NAME] [--keep FOLDER]

CHECK is the name of a script in checks/.  It runs twice on the same files of
Debian's packages (tools/guest_programs.sh): natively, in a tree of its own,
and in a guest under Copal.  What the two print must be the same, but for times
and paths.  Exit code 77: skipped, with the reason.
"""
import argparse
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
SKIPPED = 77
LIMIT = 3000
ENVIRONMENT = {"PATH": "/usr/bin:/usr/sbin", "HOME": "/root", "TERM": "dumb",
               "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
BEGIN, END = "=== the check begins", "=== the check ended"

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
ln -s /proc/self/fd /dev/fd
mount -t tmpfs tmp /tmp
busybox ip link set lo up
{exports}
stty -onlcr
cd /tmp
echo "{begin}"
sh /check/{name}.sh </dev/null 2>&1
echo "{end}"
poweroff -f
"""
NATIVE = """
mount -t tmpfs tmp "$0/tmp" && mount --rbind /dev "$0/dev" &&
mount --rbind /proc "$0/proc" && mount --rbind "$1" "$0/check" &&
ip link set lo up 2>/dev/null
exec chroot "$0" /bin/sh "/check/$2.sh"
"""

# Lines that speak of times, folders or the processor.
DROPPED = re.compile(r"^(==|Terminated| 64-bit locale|0:00:|"
                     r"\d+:\d\d:\d\d |Total duration|Ran \d+ tests|"
                     r"\d+ tests? (OK|skipped)|Using random seed)")
CHANGED = [(re.compile(r"\d+([.]\d+)? ?(s|sec|ms|min)\b"), "TIME"),
           (re.compile(r"test_python_\w+"), "FOLDER"),
           (re.compile(r"0x[0-9a-f]{8,}"), "ADDRESS")]


class Skipped(Exception):
    pass


def programs():
    done = subprocess.run([TOP / "tools/guest_programs.sh"], text=True,
                          capture_output=True)
    if done.returncode:
        raise Skipped(done.stderr.strip().splitlines()[-1])
    kernel = subprocess.run([TOP / "tools/guest.sh", "amd64"], text=True,
                            capture_output=True)
    if kernel.returncode:
        raise Skipped(kernel.stderr.strip().splitlines()[-1])
    return (pathlib.Path(done.stdout.strip()),
            pathlib.Path(kernel.stdout.strip()))


def lay_out(folder, name):
    """check/ as both sides see it, and the guest's init."""
    check = folder / "tree/check"
    check.mkdir(parents=True)
    shutil.copy(HERE / "checks" / f"{name}.sh", check)
    for layer in ["base", "mem"]:
        shutil.copytree(TOP / layer, check / "source" / layer)
    exports = "\n".join(f"export {k}={v}" for k, v in ENVIRONMENT.items())
    init = folder / "tree/init"
    init.write_text(INIT.format(exports=exports, begin=BEGIN, end=END,
                                name=name))
    init.chmod(0o755)
    return check


def pack(folder, programs_cpio):
    names = subprocess.run(["find", "."], cwd=folder / "tree", check=True,
                           capture_output=True).stdout
    ours = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
                          cwd=folder / "tree", input=names, check=True,
                          capture_output=True).stdout
    with open(folder / "initrd", "wb") as out:
        with open(programs_cpio, "rb") as first:
            shutil.copyfileobj(first, out)
        out.write(bytes(-out.tell() % 4) + ours)


def clean(text):
    lines = []
    for line in text.replace("\r", "").splitlines():
        if DROPPED.match(line):
            continue
        for pattern, instead in CHANGED:
            line = pattern.sub(instead, line)
        lines.append(line)
    return lines


def run_native(root, check, name):
    command = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-c",
               NATIVE, root, check, name]
    try:
        done = subprocess.run(command, env=ENVIRONMENT, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, errors="replace",
                              stderr=subprocess.STDOUT)
    except OSError as e:
        raise Skipped(f"no native run: {e}") from e
    if "unshare: " in done.stdout:
        raise Skipped(f"no native run: {done.stdout.splitlines()[0]}")
    return done.stdout


def run_guest(options, kernel, folder):
    command = [options.copal, "-kernel", kernel / "vmlinuz", "-initrd",
               folder / "initrd", "-append",
               "console=ttyS0 quiet loglevel=1 panic=-1", "-m", "2G", "-cpu",
               options.cpu, "-accel", options.accel, "-nographic",
               "-no-reboot"]
    with open(folder / "serial", "w+b") as serial:
        done = subprocess.run(command, timeout=LIMIT, stdout=serial,
                              stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
        serial.seek(0)
        text = serial.read().decode(errors="replace")
    begin, end = text.find(BEGIN), text.find(END)
    if done.returncode or begin < 0 or end < begin:
        raise AssertionError(
            f"copal ended with {done.returncode}: "
            f"{done.stderr.decode(errors='replace')}\n{text[-3000:]}")
    return text[text.index("\n", begin) + 1:end]


def check(options, folder):
    tree, kernel = programs()
    laid_out = lay_out(folder, options.check)
    pack(folder, tree / "programs.cpio")
    start = time.monotonic()
    native = clean(run_native(tree / "root", laid_out, options.check))
    middle = time.monotonic()
    guest = clean(run_guest(options, kernel, folder))
    end = time.monotonic()
    if options.keep:
        for side, lines in (("native", native), ("guest", guest)):
            (options.keep / f"{options.check}.{side}").write_text(
                "\n".join(lines) + "\n")
    wrong = [line for line in guest if "WRONG" in line]
    differ = list(difflib.unified_diff(native, guest, "native", "guest",
                                       lineterm="", n=1))
    print(f"{options.check}: {len(native)} lines natively in "
          f"{middle - start:.0f} s, {len(guest)} in the guest in "
          f"{end - middle:.0f} s; {len(differ)} lines of difference, "
          f"{len(wrong)} wrong")
    print("\n".join(differ[:60] + wrong[:20]))
    return bool(native) and not differ and not wrong


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("copal", type=pathlib.Path)
    p.add_argument("check")
    p.add_argument("--accel", default="jit")
    p.add_argument("--cpu", default="max")
    p.add_argument("--keep", type=pathlib.Path)
    options = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            return 0 if check(options, pathlib.Path(folder)) else 1
        except Skipped as reason:
            print(f"skipped {options.check}: {reason}")
            return SKIPPED
        except (AssertionError, subprocess.TimeoutExpired) as wrong:
            print(f"{options.check}: {wrong}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
