#!/usr/bin/env python3
"""Boots the test kernel and says how it went.

usage: run.py COPAL KERNEL [--engine interp|jit] [--only TEST] [--qemu PROGRAM]

The kernel prints a line for each failed check and `checks N failed M` last,
and ends through isa-debug-exit: 33 if all passed.  After that comes a machine
of its own for the triple fault.  --qemu runs the kernel there instead, to see
where that differs; its answers decide nothing.
"""
import argparse
import re
import subprocess
import sys

PASS = 2 * 0x10 + 1
CRASHED = 2  # copal's exit code for a triple fault with -no-reboot
LEAST_CHECKS = 1500
EXIT_DEVICE = "isa-debug-exit,iobase=0xf4,iosize=4"


def command(args, only):
    shared = ["-kernel", args.kernel, "-m", "64", "-cpu", "max", "-nographic",
              "-serial", "stdio", "-no-reboot", "-device", EXIT_DEVICE]
    if only:
        shared += ["-append", f"only={only}"]
    if args.qemu:
        return [args.qemu, "-accel", "tcg", "-monitor", "none"] + shared
    return [args.copal, "-accel", args.engine] + shared


def boot(args, only):
    done = subprocess.run(command(args, only), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=280)
    return done.returncode, done.stdout.decode("latin-1").replace("\r", "")


def run_checks(args):
    code, text = boot(args, args.only)
    print(text, end="")
    total = re.search(r"^checks (\d+) failed (\d+)$", text, re.M)
    if not total:
        print(f"the kernel did not come to its end (exit code {code})")
        return False
    enough = args.only or int(total[1]) >= LEAST_CHECKS
    if not enough:
        print(f"fewer than {LEAST_CHECKS} checks")
    return code == PASS and total[2] == "0" and bool(enough)


def run_triple_fault(args):
    code, text = boot(args, "triple-fault")
    ok = code == CRASHED and "survived" not in text
    print(f"triple fault: exit code {code}, expected {CRASHED}")
    return ok


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("copal")
    parser.add_argument("kernel")
    parser.add_argument("--engine", default="jit")
    parser.add_argument("--only")
    parser.add_argument("--qemu")
    args = parser.parse_args()
    good = run_checks(args)
    if not args.qemu and not args.only:
        good = run_triple_fault(args) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
