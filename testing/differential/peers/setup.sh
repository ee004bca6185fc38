#!/bin/sh
# Installs the foreign implementations that cases are compared with: setup.sh DIR. Run again, it changes nothing.
# Needs python3 (3.11 or later) with venv, node (20 or later) and npm. DIR then goes to `differential --peers DIR`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: setup.sh DIR}
mkdir -p "$dir/lodestar"
[ -x "$dir/venv/bin/python" ] || python3 -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/spec/requirements.txt"
cp "$here/lodestar/package.json" "$here/lodestar/package-lock.json" "$dir/lodestar/"
cd "$dir/lodestar"
npm ci --ignore-scripts --no-audit --no-fund --silent
echo "installed in $dir"
