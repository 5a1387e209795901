#!/bin/sh
# Prepares a Linux guest from the distribution's packages: its kernel, and an
# initrd of busybox.  Prints the folder that has both, as vmlinuz and initrd.
#
# usage: tools/guest.sh amd64|i386-pae|i386
#
# The packages are only unpacked, never installed: apt runs with lists and a
# state of its own, so this needs no root and leaves the system as it was.
# What was prepared once is only named again.
set -eu

cache=${COPAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/copal}/guests
name=${1:-}
work=

fail()
{
    echo "copal: $1" >&2
    exit 1
}

say()
{
    echo "$1" >&2
}

clean()
{
    [ -z "$work" ] || rm -rf "$work"
}

# The newest kernel that Debian 12 has is 6.1; its metapackage names it.
case $name in
amd64) arch=amd64 meta=linux-image-amd64 ;;
i386-pae) arch=i386 meta=linux-image-686-pae ;;
i386) arch=i386 meta=linux-image-686 ;;
*) fail "say which guest to prepare: amd64, i386-pae or i386." ;;
esac

if [ -e "$cache/$name/vmlinuz" ] && [ -e "$cache/$name/initrd" ]; then
    echo "$cache/$name"
    exit 0
fi

command -v apt-get >/dev/null || fail "fetching guests needs apt."
command -v cpio >/dev/null || fail "building an initrd needs cpio."
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap clean EXIT
trap 'exit 1' INT TERM HUP

# An apt that knows only $arch, with the sources of this system.
mkdir -p "$work/state/lists/partial" "$work/archives/partial" \
    "$work/unpack" "$work/root" "$work/guest"
: >"$work/state/status"
cat >"$work/apt.conf" <<END
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$work/state";
Dir::State::status "$work/state/status";
Dir::Cache "$work";
END
APT_CONFIG=$work/apt.conf
export APT_CONFIG

say "Reading Debian's list of packages for $arch"
apt-get -qq update >/dev/null 2>&1 || true

kernel=$(apt-cache depends "$meta" 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
[ -n "$kernel" ] ||
    fail "the package $meta for $arch was not found: is there a network?"

say "Fetching $kernel and busybox-static for $arch"
said=$(cd "$work/archives" &&
    apt-get -qq download "$kernel" busybox-static 2>&1) ||
    fail "could not fetch $kernel: $(echo "$said" | grep '^E:' | head -n 1)"
for package in "$work"/archives/*.deb; do
    dpkg -x "$package" "$work/unpack" ||
        fail "could not unpack ${package##*/}."
done

# --- the kernel ---

set -- "$work"/unpack/boot/vmlinuz-*
[ -e "$1" ] || fail "the package $kernel has no kernel in it."
cp "$1" "$work/guest/vmlinuz"
chmod 644 "$work/guest/vmlinuz"

# --- the initrd ---

say "Building the initrd"
root=$work/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" \
    "$root/root" "$root/etc"
for busybox in "$work/unpack/bin/busybox" "$work/unpack/usr/bin/busybox"; do
    [ ! -e "$busybox" ] || cp "$busybox" "$root/bin/busybox"
done
[ -e "$root/bin/busybox" ] || fail "the package busybox-static has no busybox."

# The applets are read out of the program: one of another architecture might
# not run here.  Their names are sorted strings, one after the other.
applets="[ [[ ash awk base64 basename cat chgrp chmod chown chroot clear cmp cp
cpio cut date dd df diff dirname dmesg du echo ed egrep env expr false fdisk
fgrep find fold free getopt grep gunzip gzip halt head hexdump hostname id
ifconfig ip kill killall ln logger losetup ls lsmod lspci md5sum mkdir mkfifo
mknod mktemp modprobe more mount mv nc nl nproc od patch pidof ping pivot_root
poweroff printf ps pwd readlink reboot reset rm rmdir route sed seq setsid sh
sha1sum sha256sum sha512sum sleep sort stat strings stty sync sysctl tail tar
tee test time timeout top touch tr true truncate tty udhcpc umount uname uniq
unlink uptime usleep vi watch wc wget which who xargs xxd xzcat yes zcat
cttyhack devmem bc factor gzip bzip2 bunzip2 unxz cal tac rev paste shuf
sum cksum crc32 uuencode uudecode getty login su stty chvt init switch_root"
strings=$(tr -c '[:graph:]' '\n' <"$root/bin/busybox" | sort -u)
for applet in $applets; do
    echo "$strings" | grep -qxF -e "$applet" || continue
    ln -sf busybox "$root/bin/$applet"
done
