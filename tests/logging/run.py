#!/usr/bin/env python3
"""What -d and -perfmap write about a guest whose every step is known.

usage: run.py COPAL

The guest counts to 100 in a loop of one block, calls a function by a register,
and ends the run with exit code 33.  With -d exec each block is translated when
it is first met, so the tests of the translator ask for that too.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bad_input"))
from run import EXIT_DEVICE, bzimage  # noqa: E402

TIMEOUT = 60
LOAD = 0x100000
LOOPS = 100
GUEST = bytes.fromhex(
    "bc00000900"    # 00 mov esp, 0x90000
    "b964000000"    # 05 mov ecx, 100
    "50"            # 0a loop: push eax
    "58"            # 0b pop eax
    "49"            # 0c dec ecx
    "75fb"          # 0d jnz loop
    "b81d001000"    # 0f mov eax, 0x10001d
    "ffd0"          # 14 call eax
    "b810000000"    # 16 mov eax, 16
    "e6f4"          # 1b out 0xf4, al
    "c3")           # 1d ret
LOOP, TAIL, AFTER, CALLED = (LOAD + at for at in (0x0a, 0x0f, 0x16, 0x1d))
ENGINES = ["interp", "jit"]


def run(copal, folder, *options):
    """Exit code 33; what was logged."""
    log = folder / "log"
    child = subprocess.Popen(
        [copal, folder / "guest", "-serial", "null", "-D", log, *options,
         *EXIT_DEVICE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    said = child.communicate(timeout=TIMEOUT)
    assert child.returncode == 33, f"{options}: {child.returncode}, {said}"
    run.pid = child.pid
    return log.read_text()


def block_addresses(log):
    lines = re.findall(r"^exec ([0-9a-f]{4}):([0-9a-f]{16}) (.*)$", log, re.M)
    assert len(lines) == len(log.splitlines()), "other lines in the log"
    assert {mode for _, _, mode in lines} == {"protected 32-bit cpl 0"}
    return [int(at, 16) for _, at, _ in lines]


def every_block_is_logged(copal, folder):
    for engine in ENGINES:
        at = block_addresses(run(copal, folder, "-accel", engine,
                                 "-d", "exec"))
        # The first turn is part of the first block.
        assert at == [LOAD] + [LOOP] * (LOOPS - 1) + [TAIL, CALLED, AFTER], \
            f"{engine}: {[hex(a) for a in at]}"


def engines_log_the_same_registers(copal, folder):
    logs = [run(copal, folder, "-accel", engine, "-d", "cpu,exec")
            for engine in ENGINES]
    assert logs[0] == logs[1]
    turns = logs[0].split("exec ")[1:]
    rcx = [int(re.search(r"RCX=(\w+)", turn)[1], 16) for turn in turns]
    assert rcx[1:LOOPS] == list(range(LOOPS - 1, 0, -1)), rcx
    for name in ["RAX", "R15", "RIP", "RFL", "CPL", "CR0", "CR4", "EFER"]:
        assert logs[0].count(name + "=") == len(turns), name
    for name in ["CS", "GS", "LDT", "TR", "GDT"]:
        assert len(re.findall(f"^{name} ", logs[0], re.M)) == len(turns), name


def translation_is_listed(copal, folder):
    log = run(copal, folder, "-accel", "jit", "-d", "in_asm,exec")
    assert re.search(r"IN: .*\n +0x100000  mov esp, 0x90000\n", log), log
    assert re.search(r"0x10000d  jne 0x10000a\n", log), log
    log = run(copal, folder, "-accel", "jit", "-d", "op,exec")
    assert re.search(r"^0x10000c:\n.*(.*\n)*?.*\bPUT\b", log, re.M), log
    assert "IN:" not in log and "OUT:" not in log
    log = run(copal, folder, "-accel", "jit", "-d", "out_asm,exec")
    assert re.search(r"^OUT: [1-9]\d* bytes\n +0x", log, re.M), log


def counter(log, name):
    found = re.search(rf"^ *(\d+)  {name} ", log, re.M)
    return int(found[1]) if found else 0


def rate(log, name):
    return float(re.search(rf"^ *([\d.]+)%  {name} ", log, re.M)[1])


def counters_add_up(copal, folder):
    log = run(copal, folder, "-accel", "jit", "-d", "stats,exec")
    total = 2 + 4 * LOOPS + 5
    assert counter(log, "insn_jit") + counter(log, "insn_interp") == total
    assert rate(log, "translated") > 90
    # A push and a pop each turn, and one of each for the call.
    assert counter(log, "l0_access") == 2 * LOOPS + 2, log
    # The loop's end, each time, and the end of the block it follows.
    assert counter(log, "chain_exit") == LOOPS, log
    assert counter(log, "jc_lookup") == 2, log
    assert counter(log, "fallback_mode") == 0
    assert rate(log, "l0_hit_rate") > 95
    assert counter(log, "chain_miss") == LOOPS, "a block was linked"
    log = run(copal, folder, "-accel", "interp", "-d", "stats")
    assert counter(log, "insn_interp") == total
    assert counter(log, "insn_jit") == 0 and "%" not in log


def code_has_names_for_perf(copal, folder):
    run(copal, folder, "-accel", "jit", "-perfmap", "-d", "exec")
    path = pathlib.Path(f"/tmp/perf-{run.pid}.map")
    lines = path.read_text().splitlines()
    path.unlink()
    parts = [re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) (copal thunk \w+|"
                          r"guest (0x[0-9a-f]+) mode 0x[0-9a-f]+)", line)
             for line in lines]
    assert all(parts), lines
    spans = sorted((int(p[1], 16), int(p[2], 16)) for p in parts)
    for (a, size), (b, _) in zip(spans, spans[1:]):
        assert size and a + size <= b, "pieces overlap"
    assert {LOAD, LOOP, TAIL, AFTER, CALLED} <= \
        {int(p[4], 16) for p in parts if p[4]}


def what_is_not_there_is_refused(copal, folder):
    done = subprocess.run([copal, folder / "guest", "-d", "lockstep"],
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 1 and "Unknown item of -d" in done.stderr


TESTS = [every_block_is_logged, engines_log_the_same_registers,
         translation_is_listed, counters_add_up, code_has_names_for_perf,
         what_is_not_there_is_refused]


def main():
    copal = os.path.abspath(sys.argv[1])
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "guest").write_bytes(bzimage(GUEST))
        for test in TESTS:
            try:
                test(copal, folder)
            except (AssertionError, subprocess.TimeoutExpired) as wrong:
                bad += 1
                print(f"{test.__name__}: {wrong!r}")
    print(f"logging: {len(TESTS)} tests, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
