#!/usr/bin/env python3
"""Copal against QEMU's translator and against the processor itself:
bench/guest.py [--rounds N] [--cpu] [--copal FILE] [ROW...]

Builds bench/guest/*.c, starts it three times (natively, in a Debian guest
under Copal and in the same guest under QEMU) and has the three run one row
after the other, taking turns.  The clock is the host's, read when BEGIN and
END arrive on the serial port; with --cpu it is the processor time that the
process has used by then, for a machine that others use too (natively, that
leaves out the children of pipes and fork-exec).  The three must find the same
results.  Prints a table in markdown with the medians of the rounds."""
import argparse, os, pathlib, select, statistics, subprocess, sys, tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("COPAL_CACHE")
                     or pathlib.Path(os.environ.get("XDG_CACHE_HOME")
                                     or pathlib.Path.home() / ".cache")
                     / "copal")
# What the rows name is what runs: no loop becomes a vector or a memset.
CFLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-static", "-march=x86-64",
          "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing",
          "-fno-tree-vectorize", "-fno-tree-slp-vectorize",
          "-fno-tree-loop-distribute-patterns"]
# The C library chooses its memcpy by CPUID; all three get that of SSE2.
TUNABLES = "glibc.cpu.hwcaps=" + ",".join(
    "-" + name for name in ("AVX512F", "AVX512VL", "AVX2", "AVX", "ERMS",
                            "FSRM", "SSSE3", "AVX_Fast_Unaligned_Load"))
INIT = f"""#!/bin/sh
export GLIBC_TUNABLES={TUNABLES} BENCH_TINY=/tiny
exec /bench serve
"""
BOOT_LIMIT, ROW_LIMIT = 60, 60


class Failed(Exception):
    pass


class Side:
    """A program that serves rows over its standard input and output."""

    def __init__(self, name, command, cpu, env=None):
        self.name, self.command, self.env = name, command, env
        self.cpu, self.child = cpu, None

    def now(self):
        if not self.cpu:
            return time.monotonic()
        # The clock of a process as Linux numbers it: clock_getcpuclockid(3).
        return time.clock_gettime(~self.child.pid << 3 | 2)

    def start(self):
        self.child = subprocess.Popen(
            self.command, env=self.env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        self.pending = b""
        self.wait_for("READY", BOOT_LIMIT)

    def stop(self):
        if self.child:
            self.child.kill()
            self.child.wait()
            self.child.stdin.close()
            self.child.stdout.close()
            self.child = None

    def wait_for(self, word, limit):
        """The line that begins with word, and when its end arrived."""
        deadline = time.monotonic() + limit
        while True:
            line, newline, rest = self.pending.partition(b"\n")
            if newline:
                self.pending = rest
                text = line.decode(errors="replace").strip()
                if text.split(" ")[0] == word:
                    return text, self.arrived
                if text.startswith(("FAIL", "Kernel panic")):
                    raise Failed(text)
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [],
                                              left)[0]:
                raise Failed(f"no {word} within {limit} s")
            data = os.read(self.child.stdout.fileno(), 65536)
            self.arrived = self.now()
            if not data:
                raise Failed(f"ended before {word}")
            self.pending += data

    def run(self, row):
        """Seconds and result of a row."""
        if not self.child:
            self.start()
        self.child.stdin.write(row.encode() + b"\n")
        begin = self.wait_for("BEGIN", ROW_LIMIT)[1]
        text, end = self.wait_for("END", ROW_LIMIT)
        if text.split()[1] != row:
            raise Failed(f"ran {text}")
        return end - begin, text.split()[2]


def build(folder):
    sources = [HERE / "guest" / (name + ".c")
               for name in ("main", "integer", "memory", "float", "system",
                            "extension", "sha256")]
    subprocess.run(["gcc", *CFLAGS, "-o", folder / "bench", *sources],
                   check=True)
    subprocess.run(["gcc", *CFLAGS, "-nostdlib", "-o", folder / "tiny",
                    HERE / "guest/tiny.c"], check=True)


def pack(folder, initrd):
    """The guest's initrd and behind it an archive that replaces its init."""
    (folder / "init").write_text(INIT)
    (folder / "init").chmod(0o755)
    ours = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
                          cwd=folder, input=b"init\nbench\ntiny\n", check=True,
                          stdout=subprocess.PIPE).stdout
    first = initrd.read_bytes()
    (folder / "initrd").write_bytes(first + bytes(-len(first) % 4) + ours)


def sides(folder, copal, cpu):
    guest = CACHE / "guests/amd64"
    if not (guest / "initrd").exists():
        sys.exit("There is no guest: run tools/guest.sh amd64 first.")
    pack(folder, guest / "initrd")
    common = ["-kernel", guest / "vmlinuz", "-initrd", folder / "initrd",
              "-append", "console=ttyS0 quiet", "-m", "512M", "-nographic",
              "-no-reboot"]
    env = dict(os.environ, GLIBC_TUNABLES=TUNABLES,
               BENCH_TINY=str(folder / "tiny"))
    return [Side("native", [folder / "bench", "serve"], cpu, env),
            Side("copal", [copal, *common], cpu),
            Side("qemu", ["qemu-system-x86_64", "-accel", "tcg", "-cpu",
                          "max", *common],
                 cpu)]


def run_round(row, players):
    """Seconds by side; a side that fails is started afresh and left out."""
    took, results = {}, {}
    for side in players:
        try:
            took[side.name], results[side.name] = side.run(row)
        except (Failed, OSError) as e:
            print(f"{row}: {side.name}: {e}", file=sys.stderr)
            side.stop()
    if len(set(results.values())) > 1:
        print(f"{row}: results differ: {results}", file=sys.stderr)
        return took, False
    return took, len(took) == len(players)


def geometric(values):
    return statistics.geometric_mean(values) if values else float("nan")


def print_table(rows, times):
    """times[row][side] is a list of seconds."""
    speedup = {}
    print("| row | native s | copal s | qemu s | copal/native | qemu/copal |")
    print("|---|--:|--:|--:|--:|--:|")
    for row in rows:
        t = {side: statistics.median(all) for side, all in times[row].items()
             if all}
        cells = [f"{t[s]:.3f}" if s in t else "-"
                 for s in ("native", "copal", "qemu")]
        cells.append(f"{t['copal'] / t['native']:.1f}"
                     if "copal" in t and t.get("native") else "-")
        if {"copal", "qemu"} <= t.keys():
            speedup[row] = t["qemu"] / t["copal"]
        cells.append(f"{speedup[row]:.2f}" if row in speedup else "-")
        print(f"| {row} | " + " | ".join(cells) + " |")
    print()
    for title, prefix in (("all rows", ""), ("SSE rows", "sse"),
                          ("x87 rows", "x87")):
        chosen = [v for r, v in speedup.items() if r.startswith(prefix)]
        if chosen:
            print(f"Geometric mean of qemu/copal, {title}: "
                  f"{geometric(chosen):.2f}  ")
    slow = [r for r, v in speedup.items() if v < 1]
    vector = [r for r, v in speedup.items()
              if v < 5 and r.startswith(("sse", "x87"))]
    print(f"Slower than QEMU: {', '.join(slow) or 'none'}  ")
    print(f"SSE and x87 below 5: {', '.join(vector) or 'none'}")


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--cpu", action="store_true")
    p.add_argument("--copal", default=HERE.parent / "build/release/copal")
    p.add_argument("rows", nargs="*", metavar="ROW")
    a = p.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        build(folder)
        known = subprocess.run([folder / "bench", "list"], text=True,
                               check=True, stdout=subprocess.PIPE)
        rows = a.rows or known.stdout.split()
        players = sides(folder, a.copal, a.cpu)
        times = {row: {side.name: [] for side in players} for row in rows}
        try:
            for number in range(a.rounds):
                for row in rows:
                    took, agreed = run_round(row, players)
                    good = good and agreed
                    for side, seconds in took.items():
                        times[row][side].append(seconds)
                    print(f"round {number + 1}: {row}: "
                          + ", ".join(f"{s} {t:.3f}" for s, t in took.items()),
                          file=sys.stderr, flush=True)
        finally:
            for side in players:
                side.stop()
    print_table(rows, times)
    sys.exit(not good)


main()
