#!/bin/sh
# Install what building needs and this machine lacks: a Fortran and a C compiler, and
# the headers of the Python that is the argument (python3 unless told). Nothing is
# installed where that Python is too old.
set -eu
python=${1:-python3}

"$python" - "$python" <<'END'
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "minpack needs Python 3.11 or newer; %s is Python %d.%d.%d. Choose another one: "
        "make PYTHON=/path/to/python" % ((sys.argv[1],) + sys.version_info[:3])
    )
END

missing=
command -v "${FC:-gfortran}" >/dev/null || missing="$missing gfortran"
command -v "${CC:-cc}" >/dev/null || missing="$missing cc"
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
[ -e "$header" ] || missing="$missing Python.h"
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
echo "Installing what the build needs:$missing"
if command -v apt-get >/dev/null; then
    tools/apt-install.sh gfortran gcc libc6-dev python3-dev
elif command -v dnf >/dev/null; then
    $as_root dnf install -y -q gcc-gfortran gcc python3-devel
elif command -v brew >/dev/null; then
    brew install gcc
else
    echo "No apt-get, dnf or brew here: please install$missing by hand." >&2
    exit 1
fi
