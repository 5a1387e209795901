#!/bin/sh
# Installs, with apt, what is missing of the Debian packages that Copal needs.
#
# usage: tools/setup.sh SET...
#   build   compiler, build tools and libraries
#   test    what the tests are built and run with
#   guests  what guest systems are unpacked and put together with
#
# Where nothing is missing it asks dpkg once and is done.
set -eu

build="gcc libc6-dev cmake ninja-build pkg-config libcapstone-dev libelf-dev"
test="check clang nasm universal-ctags python3 binutils libmpfr-dev"
guests="cpio xz-utils zstd busybox-static"
if [ "$(uname -m)" = x86_64 ]; then
    test="$test qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
fi

fail()
{
    echo "copal: $1" >&2
    exit 1
}

packages_of()
{
    case $1 in
    build) echo "$build" ;;
    test) echo "$test" ;;
    guests) echo "$guests" ;;
    *) fail "there is no set of packages called '$1' (build, test, guests)." ;;
    esac
}

# The words of $1 that dpkg does not have installed.
missing_of()
{
    # shellcheck disable=SC2016,SC2086
    have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $1 \
        2>/dev/null || true)
    for package in $1; do
        echo "$have" | grep -qx "installed $package" || echo "$package"
    done
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Never lets apt remove what somebody installed to make room for ours.
install()
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends --no-remove "$@" 2>&1
}

wanted=
for set in "$@"; do
    packages=$(packages_of "$set") || exit 1
    wanted="$wanted $packages"
done

if ! command -v dpkg-query >/dev/null; then
    echo "copal: this is not Debian; I take it that these are there:$wanted" >&2
    exit 0
fi

missing=$(missing_of "$wanted" | tr '\n' ' ')
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    fail "please install these packages as root: $missing"
fi

echo "Installing $missing"
as_root apt-get update -qq >/dev/null 2>&1 || true
# shellcheck disable=SC2086
if ! said=$(install $missing); then
    reason=$(echo "$said" | grep '^E:' | head -n 1 || true)
    fail "apt could not install $missing(${reason:-it did not say why})."
fi
