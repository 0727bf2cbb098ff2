#!/bin/sh
# Build CPython 3.13 from the source package of Debian 13; with a `t` at the end of the
# version without its global lock:
#
#     tools/build-python.sh 3.13t PREFIX [CONFIGURE_OPTION...]
#     tools/build-python.sh 3.13 --source FOLDER
#
# The second line only unpacks the sources, into FOLDER. For Debian and Ubuntu; about ten
# minutes on two cores. apt's own sources stay as they are.
set -eu
version=${1:?usage: $0 VERSION PREFIX [CONFIGURE_OPTION...]}
prefix=${2:?usage: $0 VERSION PREFIX [CONFIGURE_OPTION...]}
shift 2
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
apt source --download-only "python${version%t}"
tar xf "python${version%t}"_*.orig.tar.xz
if [ "$prefix" = --source ]; then
    mkdir -p "$1"
    mv Python-3.*/* "$1"
    exit
fi

cd Python-3.*/
case $version in *t) set -- --disable-gil "$@" ;; esac
./configure -q --prefix="$prefix" --disable-test-modules "$@"
make -s -j "$(nproc)"
if [ -w "$(dirname "$prefix")" ]; then as_root=; fi
$as_root make -s install
"$prefix/bin/python$version" -VV
