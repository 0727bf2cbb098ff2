#!/usr/bin/env bash
# The checks that take too long for every change, each in a build of its own:
#
#   asan      the whole test suite under AddressSanitizer and
#             UndefinedBehaviorSanitizer, C and Fortran
#   debug     the whole suite on unoptimized Fortran with all of gfortran's run-time
#             checks, and its arithmetic trapped where infinities are no part of it
#   valgrind  a representative part under valgrind's memcheck
#   coverage  the lines of Python, C and Fortran that the suite reaches
#   clients   the tests of astropy, lmfit and scikit-image, with minpack's functions in
#             the place of SciPy's
#
# Usage: tools/check-deep.sh [check]...     (all of them, unless told)
# Logs, builds and environments are in build/deep. PYTHON chooses the interpreter.
# x86-64 Linux with GCC and, to install what is missing, apt-get.
set -euo pipefail
cd "$(dirname "$0")/.."
deep=$PWD/build/deep
. tools/checks.sh "$deep"

install_what_is_missing() {
    tools/install-original.sh
    if ! command -v valgrind >/dev/null; then
        tools/apt-install.sh valgrind libc6-dbg
    fi
    make_environment --group test --group optional coverage gcovr
}

# build NAME OPTION...: the package in build/deep/NAME, with these options of meson.
build() {
    local name=$1
    shift
    rm -rf "${deep:?}/$name" "$deep/$name-build"
    PATH="$venv/bin:$PATH" "$venv/bin/python" -m pip install --quiet \
        --no-build-isolation --no-deps --target "$deep/$name" \
        -Cbuild-dir="$deep/$name-build" "${@/#/-Csetup-args=}" . >"$deep/$name.log" 2>&1
}

# run NAME COMMAND...: a command that sees that build, and not the sources beside it.
run() {
    local name=$1
    shift
    env PATH="$venv/bin:$PATH" PYTHONSAFEPATH=1 PYTHONPATH="$deep/$name" \
        MINPACK_REQUIRE_ORIGINAL=1 OPENBLAS_NUM_THREADS=1 "$@" >>"$deep/$name.log" 2>&1
}

# suite NAME COMMAND...: pytest with that build, and what its last line says. After a
# failure the check goes on, and fails at its end.
suite() {
    run "$@" || bad=1
    grep -E '[0-9]+ (passed|failed|error)' "$deep/$1.log" | tail -1 | tr -d '='
}

# The tests of the classic interface build the library and programs that link with it
# themselves: with these flags too. Those of the build and the wheel test no code of ours,
# and those of the gallery run what other tests have run.
classic() {
    local name=$1 flags=$2 fortran_flags=$3
    printf '#!/bin/sh\nexec gcc "$@" %s\n' "$flags" >"$deep/$name-cc"
    printf '#!/bin/sh\nexec gfortran %s "$@"\n' "$fortran_flags" >"$deep/$name-fc"
    chmod +x "$deep/$name-cc" "$deep/$name-fc"
    suite "$name" CC="$deep/$name-cc" FC="$deep/$name-fc" ASAN_OPTIONS=detect_leaks=0 \
        pytest -q tests/test_classic.py -k "prints or offers"
}
elsewhere="--ignore=tests/test_classic.py --ignore=tests/test_build.py"
elsewhere="$elsewhere --ignore=tests/test_wheel.py --ignore=tests/test_gallery.py"

gcc_file() {
    gcc -print-file-name="$1"
}

# --- The checks: each prints what it has to say and fails where something is wrong ---

# Python is not built with the sanitizers, so their library has to come first, with
# libstdc++ for NumPy's exceptions. (detect_stack_use_after_return is off: GCC 12 then
# misaligns vectors of 64 bytes.) Leaks are the affair of valgrind and of
# tests/test_leaks.py: here Python's own would drown them.
check_asan() {
    build asan -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
        "-Dc_args=-fno-sanitize-recover=all -Werror" -Dfortran_args=-fno-sanitize-recover=all
    local report=log_path=$deep/asan.report # pytest would swallow it
    rm -f "$deep"/asan.report.*
    # Not for tests of SciPy's faults, one of which is a use after free, and of what
    # tracemalloc sees: with PYTHONMALLOC=malloc Python's type cache keeps more names. Nor
    # for resident memory and page faults: the sanitizer holds back what is freed.
    suite asan LD_PRELOAD="$(gcc_file libasan.so) $(gcc_file libstdc++.so)" \
        ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:malloc_context_size=8:"$report" \
        UBSAN_OPTIONS=print_stacktrace=1:"$report" PYTHONMALLOC=malloc \
        pytest -q tests "$deep/asan/minpack" $elsewhere \
        -k "not scipy_does_what and not no_memory_behind and not leave_memory \
            and not pages_are_touched and not is_let_go and not larger_than_memory"
    local flags="-g -fsanitize=address,undefined -fno-sanitize-recover=all"
    classic asan "$flags" "$flags"
    head -30 "$deep"/asan.report.* 2>/dev/null || true
}

# -finit-real=snan: a variable that nobody set traps, or turns the result into NaN. The
# check for recursion keeps its flag in a static variable: it takes threads for that.
# -ffpe-trap works in Fortran programs only: tools/trap.c does the same here. The debug
# build asserts, too, what drivers must leave for lm_step (lm/assert.c).
check_debug() {
    gcc -g -fPIC -Isrc/libminpack -c tools/trap.c -o "$deep/trap.o"
    ar rcs "$deep/trap.a" "$deep/trap.o" # linked only where one of these is called
    local wrap=
    for name in step linearize rows_norm take_point more_points finish; do
        wrap="$wrap -Wl,--wrap=lm_$name"
    done
    build debug -Dbuildtype=debug \
        "-Dfortran_args=-fcheck=all,no-recursion -finit-real=snan -finit-integer=-99999999 -fbacktrace" \
        "-Dc_link_args=$deep/trap.a$wrap"
    suite debug pytest -q tests "$deep/debug/minpack" $elsewhere
    suite debug TRAP=1 pytest -q tests/test_certified.py tests/test_leastsq.py \
        tests/test_original.py -k "not random"
    classic debug "-g -lgfortran" \
        "-g -fcheck=all,no-recursion -finit-real=snan -ffpe-trap=invalid,zero,overflow"
    ! grep -m 5 "Fortran runtime" "$deep/debug.log"
}

# Whatever else valgrind says of the interpreter: no error may have us in its stack.
check_valgrind() {
    build valgrind -Dbuildtype=debugoptimized
    suite valgrind PYTHONMALLOC=malloc valgrind --leak-check=full \
        --show-leak-kinds=definite --num-callers=30 \
        --xml=yes --xml-file="$deep/valgrind.xml" \
        "$venv/bin/python" -m pytest -q -p no:cacheprovider -p no:faulthandler \
        tests/test_allocations.py tests/test_leastsq.py tests/test_original.py \
        -k "alone or raise or (mgh and lmder)"
    "$venv/bin/python" - "$deep/valgrind.xml" <<'END'
import sys
from xml.etree import ElementTree

errors = ElementTree.parse(sys.argv[1]).findall("error")
ours = [e for e in errors if any("_minpack" in o.text for o in e.iter("obj"))]
for error in ours:
    print(error.findtext("kind"), error.findtext("what") or error.findtext("xwhat/text"))
    for frame in error.findall("stack/frame")[:12]:
        print("   ", frame.findtext("fn"), frame.findtext("file"), frame.findtext("line"))
print(f"{len(ours)} of {len(errors)} errors are ours")
sys.exit(bool(ours))
END
}

check_coverage() {
    build coverage -Dbuildtype=debug -Db_coverage=true
    suite coverage env COVERAGE_FILE="$deep/.coverage" \
        coverage run --branch --source "$deep/coverage/minpack" \
        -m pytest -q tests "$deep/coverage/minpack" $elsewhere
    COVERAGE_FILE="$deep/.coverage" "$venv/bin/coverage" report --show-missing
    "$venv/bin/gcovr" --root . --filter 'src/(_minpack|libminpack)/' --merge-lines \
        --exclude-throw-branches "$deep/coverage-build" 2>>"$deep/coverage.log"
}

# They come with the wheels, but for those of lmfit, and need minpack as it is built here.
check_clients() {
    build clients
    local packages=$deep/clients-venv site version
    [ -x "$packages/bin/python" ] || "$python" -m venv "$packages"
    "$packages/bin/python" -m pip install --quiet --upgrade pip
    "$packages/bin/python" -m pip install --quiet --prefer-binary --group clients
    site=$("$packages/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
    version=$("$packages/bin/python" -c "import lmfit; print(lmfit.__version__)")
    if [ ! -d "$deep/lmfit-$version" ]; then
        "$packages/bin/python" -m pip download --quiet --no-deps --no-binary lmfit \
            --dest "$deep" "lmfit==$version"
        tar -xzf "$deep/lmfit-$version.tar.gz" -C "$deep" \
            "lmfit-$version"/{tests,examples,NIST_STRD}
    fi
    client astropy "$site" astropy/modeling/tests astropy/wcs/tests/test_utils.py \
        astropy/convolution/tests/test_convolve_models.py -m "not remote_data"
    client lmfit "$deep/lmfit-$version" tests \
        -k "not ampgo and not basinhopping and not brute" # minutes, and other minimizers
    client scikit-image "$site" skimage/measure/tests/test_fit.py
}

# client NAME FOLDER ARGUMENT...: a suite with the plugin of tests/clients, in that folder.
client() {
    local name=$1 folder=$2
    shift 2
    run clients PYTHONPATH="$deep/clients:$PWD/tests/clients" \
        env --chdir="$folder" "$deep/clients-venv/bin/python" -m pytest -q \
        -c /dev/null --rootdir="$folder" -p no:cacheprovider \
        -p with_minpack --client "$name" "$@" || bad=1
    grep "^$name: " "$deep/clients.log"
}

[ $# -gt 0 ] || set -- asan debug valgrind coverage clients
run_checks "$@"
