#!/usr/bin/env python3
"""Keys, signals and a stuck screen, on a pseudo terminal.

usage: run.py COPAL

The guests are a few bytes of machine code: one sends back what it receives,
one prints for ever, one sleeps for ever.
"""
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bad_input"))
from run import bzimage  # noqa: E402

TIMEOUT = 10

# '!' first; then for ever: wait for LSR bit 0, take a byte, send it.
ECHO = bytes.fromhex("66baf803 b021ee 66bafd03 ec a801 74f7"
                     "66baf803 ec ee ebed")
# '!' for ever.
SHOUT = bytes.fromhex("66baf803 b021 ee ebfd")
# '!'; cli; hlt.
SLEEP = bytes.fromhex("66baf803 b021ee fa f4 ebfd")


class Guest:
    """Copal on a terminal of its own."""

    def __init__(self, copal, code, *options):
        self.file = tempfile.NamedTemporaryFile()
        self.file.write(bzimage(code))
        self.file.flush()
        self.master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [copal, self.file.name, *options], stdin=self.slave,
            stdout=self.slave, stderr=self.slave, preexec_fn=self.own_terminal)

    def own_terminal(self):
        """The child leads a session whose terminal is the slave."""
        os.setsid()
        os.close(os.open(os.ttyname(0), os.O_RDWR))

    def read_until(self, end):
        got = b""
        deadline = time.monotonic() + TIMEOUT
        while not got.endswith(end):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"{got!r} instead of {end!r}")
            got += os.read(self.master, 1024)
        return got

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        """Exit code, if the terminal is again as it was."""
        code = self.process.wait(TIMEOUT)
        after = termios.tcgetattr(self.slave)
        assert after == self.before, "the terminal was not restored"
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
        self.file.close()


def keys_reach_the_guest(start):
    g = start(ECHO, "-nographic")
    g.read_until(b"!")
    g.type(b"hello\x03\x1a\x11\r\x7f")
    assert g.read_until(b"\x7f") == b"hello\x03\x1a\x11\r\x7f"
    g.type(b"\x01x")
    assert g.end() == 0


def a_long_paste_arrives_whole(start):
    g = start(ECHO, "-nographic")
    g.read_until(b"!")
    text = bytes(0x41 + i % 26 for i in range(3000)) + b"."
    g.type(text)
    assert g.read_until(b".") == text
    g.type(b"\x01x")
    assert g.end() == 0


def prefix_twice_is_the_prefix(start):
    g = start(ECHO, "-nographic")
    g.read_until(b"!")
    g.type(b"a\x01\x01b\x01qc")
    assert g.read_until(b"c") == b"a\x01bc"
    g.type(b"\x01h")
    assert b"end the machine" in g.read_until(b"send Ctrl-A\r\n")
    g.type(b"\x01x")
    assert g.end() == 0


def a_sleeping_guest_can_be_ended(start):
    g = start(SLEEP, "-nographic")
    g.read_until(b"!")
    g.type(b"\x01x")
    assert g.end() == 0


def a_stuck_screen_does_not_hang_the_machine(start):
    g = start(SHOUT, "-nographic")
    g.read_until(b"!")
    time.sleep(1)
    g.type(b"\x01x")
    assert g.end() == 0


def signals_end_it(start):
    for number in [signal.SIGTERM, signal.SIGHUP]:
        g = start(SLEEP, "-nographic")
        g.read_until(b"!")
        g.process.send_signal(number)
        assert g.end() == -number


def interrupt_is_the_guests(start):
    g = start(ECHO, "-nographic")
    g.read_until(b"!")
    g.process.send_signal(signal.SIGINT)
    g.read_until(b"\x03")
    g.type(b"\x01x")
    assert g.end() == 0


def interrupt_ends_it_with_a_shared_terminal(start):
    g = start(SLEEP, "-serial", "stdio")
    g.read_until(b"!")
    g.type(b"\x03")
    assert g.end() == -signal.SIGINT


def a_crash_restores_the_terminal(start):
    g = start(SLEEP, "-nographic")
    g.read_until(b"!")
    g.process.send_signal(signal.SIGABRT)
    assert g.end() == -signal.SIGABRT


TESTS = [keys_reach_the_guest, a_long_paste_arrives_whole,
         prefix_twice_is_the_prefix, a_sleeping_guest_can_be_ended,
         a_stuck_screen_does_not_hang_the_machine, signals_end_it,
         interrupt_is_the_guests, interrupt_ends_it_with_a_shared_terminal,
         a_crash_restores_the_terminal]


def check(copal, test):
    guests = []

    def start(*args):
        guests.append(Guest(copal, *args))
        return guests[-1]

    try:
        test(start)
        return True
    except (AssertionError, subprocess.TimeoutExpired) as wrong:
        print(f"{test.__name__}: {wrong!r}")
        return False
    finally:
        for g in guests:
            g.close()


def main():
    copal = os.path.abspath(sys.argv[1])
    bad = sum(not check(copal, test) for test in TESTS)
    print(f"terminal: {len(TESTS)} tests, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
