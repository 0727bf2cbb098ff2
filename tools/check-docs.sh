#!/usr/bin/env bash
# The built site in a browser: every page, or those with $1 in their names, at two widths,
# light and dark, checked by axe and drawn into build/check-docs/pictures; and the search
# used. Needs `make docs`, Node and npm; installs Chromium by apt, and what drives it here.
set -euo pipefail
cd "$(dirname "$0")/.."

test -e build/docs/html/index.html || { echo "Run make docs first."; exit 1; }
command -v chromium > /dev/null || tools/apt-install.sh chromium
mkdir -p build/check-docs
cp tools/check_docs.mjs build/check-docs/
cd build/check-docs
test -d node_modules/axe-core -a -d node_modules/puppeteer-core \
  || npm install --silent --no-save axe-core@4 puppeteer-core@24
node check_docs.mjs ../docs/html "$@"
