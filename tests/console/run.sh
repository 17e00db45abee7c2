#!/bin/sh
# The console in a real browser against the real binary.
#   run.sh BUILD_DIR BINARY
# axe-core comes by npm; where it cannot be fetched, the accessibility tests say that they were skipped and the others run.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 BUILD_DIR BINARY" >&2
    exit 1
fi
source_dir=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/console"
work=$(cd "$1/console" && pwd)
REPARTEE_BINARY=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
export REPARTEE_BINARY PYTHONDONTWRITEBYTECODE=1

cp "$source_dir/package.json" "$work"
if (cd "$work" && npm install --no-package-lock --no-audit --no-fund --fetch-retries=1 --fetch-retry-mintimeout=2000) >"$work/install.log" 2>&1; then
    CONSOLE_AXE=$work/node_modules/axe-core/axe.min.js
    export CONSOLE_AXE
else
    echo "axe-core could not be installed (see $work/install.log)."
fi
# The distribution's own interpreter: the packages that the tests use are installed for that one.
exec /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider "$source_dir"
