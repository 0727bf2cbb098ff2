#!/bin/sh
# Build CPython 3.13 without its global lock, from Debian's source package:
#
#     tools/build-free-threaded.sh PREFIX [CONFIGURE_OPTION...]
#
# For Debian and Ubuntu; about ten minutes on two cores. apt's own sources stay as
# they are.
set -eu
prefix=${1:?usage: $0 PREFIX [CONFIGURE_OPTION...]}
shift
mirror=${MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root apt-get install -y -qq --no-install-recommends \
    ca-certificates debian-archive-keyring gcc libbz2-dev libc6-dev libffi-dev \
    liblzma-dev libssl-dev make pkg-config xz-utils zlib1g-dev

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
mkdir -p lists/partial
echo "deb-src [signed-by=$keyring] $mirror trixie main" > trixie.list
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/trixie.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$work/lists" -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update
# Upstream's tarball alone: Debian's patches move pip and site-packages.
apt source --download-only python3.13
tar xf python3.13_*.orig.tar.xz

cd Python-3.13.*/
./configure -q --prefix="$prefix" --disable-gil --disable-test-modules "$@"
make -s -j "$(nproc)"
if [ -w "$(dirname "$prefix")" ]; then as_root=; fi
$as_root make -s install
"$prefix/bin/python3.13t" -VV
