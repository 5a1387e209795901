# shellcheck shell=sh
# Sourced: an apt of one's own.
#
# private_apt FOLDER ARCH   from here on, apt-get and apt-cache know only ARCH,
#                           with the sources of this system; lists, state and
#                           archives are in FOLDER.  Needs no root and leaves
#                           the system as it was

private_apt()
{
    mkdir -p "$1/state/lists/partial" "$1/archives/partial"
    : >"$1/state/status"
    cat >"$1/apt.conf" <<END
APT::Architecture "$2";
APT::Architectures { "$2"; };
APT::Sandbox::User "";
APT::Install-Recommends "0";
Acquire::Languages "none";
Dir::State "$1/state";
Dir::State::status "$1/state/status";
Dir::Cache "$1";
END
    APT_CONFIG=$1/apt.conf
    export APT_CONFIG
    echo "Reading Debian's list of packages for $2" >&2
    apt-get -qq update >/dev/null 2>&1 || true
}
