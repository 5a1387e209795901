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
# shellcheck source=tools/private_apt.sh
. "$(dirname "$0")/private_apt.sh"

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

mkdir -p "$work/unpack" "$work/root" "$work/guest"
private_apt "$work" "$arch"

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

# The names of its applets stand in the program one after the other, sorted;
# it is not asked for them, because it may be of an architecture that does not
# run here.
applets=$(LC_ALL=C tr '\0' '\n' <"$root/bin/busybox" |
    LC_ALL=C sed -n '/^\[$/,/^zcat$/{/^[][a-z0-9-]*$/p;}')
for applet in $applets; do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done
[ -e "$root/bin/sh" ] || fail "busybox-static has no list of applets in it."

cat >"$root/init" <<'END'
#!/bin/sh
echo "copal: init"
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
cd /root
while :; do
    setsid cttyhack sh
done
END
chmod 755 "$root/init"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort |
    cpio --quiet --reproducible -o -H newc -R 0:0) |
    gzip -9n >"$work/guest/initrd" || fail "could not build the initrd."

# Whoever comes first has won: both have made the same.
echo "$kernel" >"$work/guest/version"
mv -T "$work/guest" "$cache/$name" 2>/dev/null ||
    [ -e "$cache/$name/vmlinuz" ] || fail "could not write to $cache."
echo "$cache/$name"
