#!/bin/sh
# Install Debian packages without questions; what apt says is shown if it fails.
set -eu
export DEBIAN_FRONTEND=noninteractive
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo env DEBIAN_FRONTEND=$DEBIAN_FRONTEND"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $as_root apt-get update -qq && $as_root apt-get install -y -qq \
        --no-install-recommends -o Dpkg::Use-Pty=0 "$@"; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
