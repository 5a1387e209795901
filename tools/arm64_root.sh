#!/bin/sh
# Fetches, as Debian packages for arm64, the libraries that the cross-built
# tests need, and unpacks them into a folder of the cache; prints the folder.
#
# usage: tools/arm64_root.sh
#
# The packages are only unpacked, never installed: apt runs with lists and a
# state of its own, so this needs no root and leaves the system as it was.
set -eu

packages="check libsubunit-dev libsubunit0
    libmpfr-dev libgmp-dev"
cache=${COPAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/copal}/arm64
tree=$cache/root

fail()
{
    echo "copal: $1" >&2
    exit 1
}

if [ -e "$tree/done" ]; then
    echo "$tree"
    exit 0
fi

command -v apt-get >/dev/null || fail "fetching arm64 packages needs apt."
rm -rf "$cache"
mkdir -p "$cache/state/lists/partial" "$cache/archives/partial" "$cache/unpack"
: >"$cache/state/status"
cat >"$cache/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$cache/state";
Dir::State::status "$cache/state/status";
Dir::Cache "$cache";
END
APT_CONFIG=$cache/apt.conf
export APT_CONFIG

apt-get -qq update >/dev/null 2>&1 || true
# shellcheck disable=SC2086
(cd "$cache/archives" && apt-get -qq download $packages) >/dev/null 2>&1 ||
    fail "could not fetch the arm64 packages $packages."
for package in "$cache"/archives/*.deb; do
    dpkg -x "$package" "$cache/unpack"
done
rm -rf "$cache/state" "$cache/archives" "$cache"/*.bin
touch "$cache/unpack/done"
mv "$cache/unpack" "$tree"
echo "$tree"
