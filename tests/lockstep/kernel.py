#!/usr/bin/env python3
"""Lock-step of a guest's kernel without its decompressor, which runs for
thousands of millions of instructions before anything else happens:

    kernel.py LOCKSTEP amd64|i386-pae|i386 [option of lockstep...]

The ELF file inside vmlinuz is booted by its PVH entry.  Exit code 77: there is
no such guest."""
import lzma, os, pathlib, subprocess, sys, tempfile

XZ = b"\xfd7zXZ\0"
SKIPPED = 77


def main():
    program, name, *options = sys.argv[1:]
    cache = pathlib.Path(os.environ.get("COPAL_CACHE")
                         or pathlib.Path(os.environ.get("XDG_CACHE_HOME")
                                         or pathlib.Path.home() / ".cache")
                         / "copal")
    guest = cache / "guests" / name
    if not (guest / "vmlinuz").exists() or not (guest / "initrd").exists():
        print(f"skipped: no guest {name}; tools/guest.sh {name} prepares it")
        return SKIPPED
    image = (guest / "vmlinuz").read_bytes()
    at = image.find(XZ)
    if at < 0:
        sys.exit(f"{guest / 'vmlinuz'} is not compressed by xz")
    with tempfile.NamedTemporaryFile(suffix=".elf") as elf:
        elf.write(lzma.LZMADecompressor().decompress(image[at:]))
        elf.flush()
        return subprocess.call([program, "--kernel", elf.name, "--initrd",
                                guest / "initrd", *options])


sys.exit(main())
