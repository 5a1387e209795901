#!/usr/bin/env python3
"""Wrong input is answered with one sentence and the right exit code.

usage: run.py COPAL [CASE]

A case is (name, arguments, exit code, text that the message contains).  In
arguments, @name is a file made by make_files.  The guest of `good` says that
it runs by ending with exit code 33, so that a case that should fail does not
fail because of the files.
"""
import os
import random
import struct
import subprocess
import sys
import tempfile

TIMEOUT = 20
EXIT_DEVICE = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
GOOD = ["-kernel", "@good", "-serial", "null"] + EXIT_DEVICE

# mov eax, 16; out f4, al
EXIT_33 = b"\xb8\x10\x00\x00\x00\xe6\xf4\xf4\xeb\xfd"


def bzimage(code=EXIT_33, **fields):
    """A kernel by the Linux/x86 boot protocol with one setup sector."""
    header = {"setup_sects": (0x1F1, "B", 1),
              "syssize": (0x1F4, "I", 0x100),
              "boot_flag": (0x1FE, "H", 0xAA55),
              "jump": (0x200, "H", 0x66EB),
              "magic": (0x202, "4s", b"HdrS"),
              "version": (0x206, "H", 0x020C),
              "loadflags": (0x211, "B", 1),
              "code32_start": (0x214, "I", 0x100000),
              "initrd_addr_max": (0x22C, "I", 0x7FFFFFFF),
              "kernel_alignment": (0x230, "I", 0x100000),
              "cmdline_size": (0x238, "I", 255),
              "pref_address": (0x258, "Q", 0x100000),
              "init_size": (0x260, "I", 0x10000)}
    image = bytearray(0x400)
    for name, (at, form, value) in header.items():
        struct.pack_into("<" + form, image, at, fields.get(name, value))
    return bytes(image) + code.ljust(0x1000, b"\0")


def multiboot_elf(machine=3, phoff=52, phnum=1, offset=0x1000, filesz=0x100,
                  memsz=0x200, paddr=0x100000, entry=0x10000C):
    """A 32-bit ELF file with a multiboot header in front of its code."""
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    head = ident + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, entry, phoff,
                               0, 0, 52, 32, phnum, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, offset, paddr, paddr, filesz, memsz,
                          7, 0x1000)
    boot = struct.pack("<III", 0x1BADB002, 0, 0x100000000 - 0x1BADB002)
    image = (head + segment).ljust(0x1000, b"\0") + boot + EXIT_33
    return image.ljust(0x2000, b"\0")


def iso():
    return bytes(0x8001) + b"CD001" + bytes(2048)


def make_files(folder):
    noise = random.Random(1).randbytes(70000)
    files = {
        "good": bzimage(),
        "good_elf": multiboot_elf(),
        "empty": b"",
        "noise": noise,
        "text": b"#!/bin/sh\necho this is no kernel\n",
        "iso": iso(),
        "disk": bytes(510) + b"\x55\xaa" + bytes(1024),
        "short": bzimage()[:0x240],
        "no_code": bzimage()[:0x400],
        "old": bzimage(version=0x0105),
        "low": bzimage(loadflags=0),
        "huge_setup": bzimage(setup_sects=255),
        "huge_init": bzimage(init_size=0xFFFFF000),
        "wild_at": bzimage(pref_address=2**63),
        "triple": bzimage(b"\x0f\x01\x1d\0\0\0\0\x0f\x0b"),
        "elf_arm": multiboot_elf(machine=40),
        "elf_short": multiboot_elf()[:40],
        "elf_phoff": multiboot_elf(phoff=0xFFFFFFF0),
        "elf_phnum": multiboot_elf(phnum=0xFFFF),
        "elf_offset": multiboot_elf(offset=0xFFFFF000),
        "elf_filesz": multiboot_elf(filesz=0xFFFFFFFF, memsz=0xFFFFFFFF),
        "elf_paddr": multiboot_elf(paddr=0xFFFFF000),
        "elf_plain": multiboot_elf()[:0x1000] + bytes(0x1000),
        "initrd": b"070701",
        "bios_odd": bytes(1000),
        "bios": bytes(65536),
    }
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(content)
    with open(os.path.join(folder, "big"), "wb") as f:
        f.truncate(1 << 30)
    os.mkdir(os.path.join(folder, "folder"))
    os.mkfifo(os.path.join(folder, "fifo"))


CASES = [
    # Command line.
    ("nothing to boot", [], 1, "nothing to boot"),
    ("unknown option", ["-kernal", "@good"], 1, "did you mean '-kernel'?"),
    ("unknown option, none near", ["-xyzzyplugh"], 1, "--help"),
    ("option without its argument", ["-kernel"], 1, "needs an argument"),
    ("no memory", GOOD + ["-m", "0"], 1, "out of range"),
    ("too much memory", GOOD + ["-m", "1048576G"], 1, "out of range"),
    ("a terabyte", GOOD + ["-m", "1T"], 1, "not a memory size"),
    ("memory overflows", GOOD + ["-m", "99999999999999999999"], 1,
     "out of range"),
    ("negative memory", GOOD + ["-m", "-1"], 1, "not a memory size"),
    ("memory in words", GOOD + ["-m", "lots"], 1, "not a memory size"),
    ("unknown cpu", GOOD + ["-cpu", "pentum"], 1, "did you mean 'pentium'"),
    ("unknown machine", GOOD + ["-machine", "q35"], 1, "-machine help"),
    ("unknown engine", GOOD + ["-accel", "kvm"], 1, "accelerator 'kvm'"),
    ("two processors", GOOD + ["-smp", "2"], 1, "one processor"),
    ("unknown device", GOOD + ["-device", "isa-debugkon"], 1,
     "did you mean 'isa-debugcon'"),
    ("device property", GOOD + ["-device", "isa-debugcon,foo=1"], 1,
     "properties iobase"),
    ("device port", ["-kernel", "@good", "-device",
                     "isa-debug-exit,iobase=0x3f8,iosize=4"], 1,
     "not free"),
    ("device port too high", ["-kernel", "@good", "-device",
                              "isa-debug-exit,iobase=0x12345"], 1,
     "not a number"),
    ("device port at the end", ["-kernel", "@good", "-device",
                                "isa-debug-exit,iobase=0xffff,iosize=4"], 1,
     "not free"),
    ("unknown chardev", GOOD + ["-device", "isa-debugcon,chardev=x"], 1,
     "id=x"),
    ("unknown kind of chardev", GOOD + ["-chardev", "socket,id=x"], 1,
     "'socket'"),
    ("unknown log item", GOOD + ["-d", "in_asm,imt"], 1, "did you mean 'int'"),
    ("log in no folder", GOOD + ["-D", "@missing/log"], 1,
     "Cannot write the log"),
    ("serial in no folder", ["-kernel", "@good", "-serial",
                             "file:@missing/out"], 1, "Cannot write to"),
    ("serial to a fifo nobody reads", ["-kernel", "@good", "-serial",
                                       "file:@fifo"], 1, "Cannot write to"),
    ("unknown serial end", ["-kernel", "@good", "-serial", "tcp:x"], 1,
     "-serial tcp:x"),
    ("bad date", GOOD + ["-rtc", "base=2006-13-01"], 1, "not a date"),
    ("initrd without kernel", ["-bios", "@bios", "-initrd", "@initrd"], 1,
     "-kernel"),
    ("kernel and bios", GOOD + ["-bios", "@bios"], 1, "leave out"),
    ("two files", ["@good", "@good_elf"], 1, "Two files"),
    ("file and kernel", ["@good", "-kernel", "@good"], 1, "name one"),
    # `copal FILE`.
    ("missing file", ["@missing"], 1, "No such file"),
    ("a folder", ["@folder"], 1, "directory"),
    ("a text", ["@text"], 1, "neither a Linux kernel"),
    ("an ISO image", ["@iso"], 1, "an ISO image"),
    ("a disk image", ["@disk"], 1, "a disk image"),
    # Files.
    ("missing kernel", ["-kernel", "@missing"], 1, "No such file"),
    ("kernel is a folder", ["-kernel", "@folder"], 1, "not a file"),
    ("kernel is a fifo", ["-kernel", "@fifo"], 1, "not a file"),
    ("empty kernel", ["-kernel", "@empty"], 1, "no kernel"),
    ("random kernel", ["-kernel", "@noise"], 1, "no kernel"),
    ("kernel cut in its header", ["-kernel", "@short"], 1, "no kernel"),
    ("kernel without code", ["-kernel", "@no_code"], 1, "too early"),
    ("kernel of an old protocol", ["-kernel", "@old"], 1, "protocol 1.05"),
    ("kernel with a wild setup size", ["-kernel", "@huge_setup"], 1,
     "too early"),
    ("kernel at a wild address", ["-kernel", "@wild_at"], 1, "at address"),
    ("kernel that wants all memory", ["-kernel", "@huge_init"], 1, "RAM"),
    ("kernel larger than memory", ["-kernel", "@big", "-m", "64M"], 1,
     "no kernel"),
    ("ELF of another processor", ["-kernel", "@elf_arm"], 1, "for x86"),
    ("ELF cut in its header", ["-kernel", "@elf_short"], 1, "no ELF"),
    ("ELF with wild phoff", ["-kernel", "@elf_phoff"], 1, "no ELF"),
    ("ELF with wild phnum", ["-kernel", "@elf_phnum"], 1, "segments"),
    ("ELF with wild offset", ["-kernel", "@elf_offset"], 1, "too early"),
    ("ELF with wild size", ["-kernel", "@elf_filesz"], 1, "no RAM"),
    ("ELF outside of memory", ["-kernel", "@elf_paddr"], 1, "no RAM"),
    ("ELF without a boot header", ["-kernel", "@elf_plain"], 1,
     "multiboot header"),
    ("missing initrd", GOOD + ["-initrd", "@missing"], 1, "No such file"),
    ("initrd is a folder", GOOD + ["-initrd", "@folder"], 1, "not a file"),
    ("initrd larger than memory", GOOD + ["-initrd", "@big", "-m", "64M"], 1,
     "does not fit"),
    ("command line too long", GOOD + ["-append", "x" * 300], 1, "255"),
    ("missing bios", ["-bios", "@missing"], 1, "No such file"),
    ("bios of odd size", ["-bios", "@bios_odd"], 1, "64 KiB"),
    ("empty bios", ["-bios", "@empty"], 1, "64 KiB"),
    # The guest.
    ("triple fault", ["-kernel", "@triple", "-serial", "null", "-no-reboot"],
     2, "triple fault"),
]


def run(copal, folder, args, **streams):
    args = [a.replace("@", folder + "/") for a in args]
    return subprocess.run([copal] + args, stdin=subprocess.DEVNULL,
                          timeout=TIMEOUT, text=True,
                          **{"stdout": subprocess.PIPE,
                             "stderr": subprocess.PIPE, **streams})


def is_sentence(text):
    return text.count("\n") == 1 and text.startswith("copal: ") and \
        text[7].isascii() and text.rstrip()[-1] in ".?"


def check_case(copal, folder, case):
    """None, or what is wrong."""
    name, args, code, part = case
    try:
        done = run(copal, folder, args)
    except subprocess.TimeoutExpired:
        return "did not end"
    if done.returncode != code:
        return f"exit code {done.returncode}, not {code}: {done.stderr!r}"
    if part not in done.stderr:
        return f"no {part!r} in {done.stderr!r}"
    if not is_sentence(done.stderr) or done.stdout:
        return f"not one sentence: {done.stderr!r}, {done.stdout!r}"
    return None


def check_good(copal, folder):
    """The files are good where no case says otherwise."""
    for name in ["@good", "@good_elf"]:
        done = run(copal, folder, [name, "-serial", "null"] + EXIT_DEVICE)
        if done.returncode != 33 or done.stderr:
            yield f"{name}: {done.returncode}, not 33: {done.stderr!r}"


def check_streams(copal, folder):
    """Closed and full outputs neither hang nor crash."""
    for close in [">&-", "<&-", "2>&-", "<&- >&- 2>&-", "> /dev/full"]:
        line = f'"$0" "$@" {close}'
        done = subprocess.run(
            ["sh", "-c", line, copal, f"{folder}/good"] + EXIT_DEVICE,
            timeout=TIMEOUT, capture_output=True)
        if done.returncode != 33:
            yield f"with {close}: {done.returncode}, not 33: {done.stderr!r}"
    with open("/dev/full", "w") as full:
        if run(copal, folder, ["--help"], stdout=full).returncode != 1:
            yield "--help into a full disk should fail"


def check_answers(copal, folder):
    for args in [["--help"], ["-version"], ["-cpu", "help"],
                 ["-machine", "help"], ["-accel", "help"], ["-d", "help"],
                 ["-device", "help"]]:
        done = run(copal, folder, args)
        if done.returncode or not done.stdout or done.stderr:
            yield f"{args}: {done.returncode}, {done.stderr!r}"


def main():
    copal, only = os.path.abspath(sys.argv[1]), sys.argv[2:]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder)
        for case in CASES:
            wrong = None
            if not only or case[0] in only:
                wrong = check_case(copal, folder, case)
            if wrong:
                bad += 1
                print(f"{case[0]}: {wrong}")
        for check in [check_good, check_streams, check_answers]:
            for wrong in check(copal, folder):
                bad += 1
                print(wrong)
    print(f"bad input: {len(CASES)} cases, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
