#!/bin/sh
# Prepares a tree of real programs from the distribution's packages: openssl,
# Python with its own tests, 7-Zip, gcc, tcc, zlib with its examples, busybox.
# Prints the folder that has it, as root (to run the programs natively) and as
# programs.cpio (an archive for a guest's initrd).
#
# usage: tools/guest_programs.sh
#
# The packages are only unpacked, never installed.  What was prepared once is
# only named again.
set -eu
# shellcheck source=tools/private_apt.sh
. "$(dirname "$0")/private_apt.sh"

packages="busybox-static openssl python3.11 libpython3.11-testsuite 7zip
    gcc-12 libc6-dev tcc zlib1g-dev"
cache=${COPAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/copal}/guests
name=amd64-programs
work=

fail()
{
    echo "copal: $1" >&2
    exit 1
}

clean()
{
    [ -z "$work" ] || rm -rf "$work"
}

if [ -e "$cache/$name/programs.cpio" ]; then
    echo "$cache/$name"
    exit 0
fi

command -v apt-get >/dev/null || fail "fetching programs needs apt."
command -v cpio >/dev/null || fail "building an initrd needs cpio."
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap clean EXIT
trap 'exit 1' INT TERM HUP
private_apt "$work" amd64

echo "Fetching programs" >&2
# shellcheck disable=SC2086
said=$(apt-get -qq -y --download-only install $packages 2>&1) ||
    fail "could not fetch the programs: $(echo "$said" | grep '^E:' |
        head -n 1)"

# --- the tree ---

echo "Unpacking them" >&2
guest=$work/guest
root=$guest/root
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
for folder in bin sbin lib lib64; do
    ln -s "usr/$folder" "$root/$folder"
done
for package in "$work"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" |
        tar --keep-directory-symlink -x -C "$root" ||
        fail "could not unpack ${package##*/}."
done
mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/root" \
    "$root/check"

# What no check needs, so that it fits a guest.
lib=$root/usr/lib/x86_64-linux-gnu
gcc=$root/usr/lib/gcc/x86_64-linux-gnu/12
(cd "$root/usr/share" && rm -rf man locale info lintian bug)
find "$root/usr/share/doc" -mindepth 1 -maxdepth 1 ! -name zlib1g-dev \
    -exec rm -rf {} +
rm -rf "$lib/gconv" "$lib"/lib*san.* "$lib/libc.a" "$lib"/libm*.a \
    "$gcc/lto1" "$gcc/lto-wrapper" "$gcc"/lib*san* "$gcc/libgcov.a" \
    "$gcc/plugin" "$root"/usr/bin/*lto-dump* "$root"/usr/bin/*gprofng*
for applet in sh cat ls sed sort mount mkdir cut head tr wc rm cp stty \
    sha256sum poweroff uname seq grep env sleep cmp dd od find xargs; do
    [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
done
find "$root" -exec touch -h -d @0 {} +

# --- the archive ---

echo "Packing them for the guest" >&2
(cd "$root" && find . | LC_ALL=C sort |
    cpio --quiet --reproducible -o -H newc -R 0:0) >"$guest/programs.cpio" ||
    fail "could not pack the programs."

# Whoever comes first has won.
mv -T "$guest" "$cache/$name" 2>/dev/null ||
    [ -e "$cache/$name/programs.cpio" ] || fail "could not write to $cache."
echo "$cache/$name"
