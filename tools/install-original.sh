#!/bin/sh
# Install Argonne's MINPACK as Debian and Ubuntu ship it, compiled: the tests compare
# with it bit for bit. Elsewhere those tests are skipped.
set -eu
command -v apt-get >/dev/null || exit 0
dpkg -s libminpack1 minpack-dev >/dev/null 2>&1 && exit 0
tools/apt-install.sh minpack-dev ||
    echo "libminpack1 can't be installed: its tests will be skipped." >&2
