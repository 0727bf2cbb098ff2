# For the scripts that run checks, each a function check_NAME with a build of its own:
#
#     . tools/checks.sh FOLDER
#
# Logs, builds and environments are in that folder. PYTHON chooses the interpreter.
python=${PYTHON:-python3}
logs=$1
venv=$logs/venv
mkdir -p "$logs"

# make_environment ARGUMENT...: the compilers, and what the build needs and these arguments
# of pip say.
make_environment() {
    tools/install-compilers.sh "$python"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --upgrade pip
    "$venv/bin/python" -m pip install --quiet --prefer-binary --group build "$@"
}

# check NAME: what the check says, once it has ended, and its last line in NAME.verdict.
check() {
    local name=$1 began=$SECONDS verdict
    # A subshell, and not a condition: there set -e would not hold.
    set +e
    (set -e; bad=0; "check_$name"; exit $bad) >"$logs/$name.out" 2>&1
    case $? in
    0) verdict="clean" ;;
    *) verdict="FAILED, see $logs/$name.log" ;;
    esac
    echo "$name: $verdict, $((SECONDS - began)) s" >"$logs/$name.verdict"
    cat "$logs/$name.out" "$logs/$name.verdict"
}

# As many checks at a time as there are processors.
run_checks() {
    install_what_is_missing
    for name in "$@"; do
        rm -f "$logs/$name.verdict"
        while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
            sleep 1
        done
        check "$name" &
    done
    wait
    for name in "$@"; do
        grep -q ": clean, " "$logs/$name.verdict"
    done
}
