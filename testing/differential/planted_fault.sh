#!/bin/sh
# Shows that the harness finds a fault: planted_fault.sh PEERS OUT. A fault is built into a copy of one epoch step, and is
# to be found within five minutes; its vector fails as long as the fault is there and passes without it.
set -eu
peers=${1:?usage: planted_fault.sh PEERS OUT}
out=${2:?usage: planted_fault.sh PEERS OUT}
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
cargo build --release -p differential --features planted_fault
begin=$(date +%s)
if cargo run --quiet --release -p differential --features planted_fault -- \
    run --minutes 5 --peers "$peers" --out "$out"; then
    echo "FAILED: the fault was not found"
    exit 1
fi
echo "found after $(($(date +%s) - begin)) s"
vector=$(echo "$out"/ours_*/vector)
if cargo run --quiet --release -p differential --features planted_fault -- replay "$vector"; then
    echo "FAILED: the vector passes with the fault"
    exit 1
fi
cargo run --quiet --release -p differential -- replay "$vector"
cargo run --quiet --release -p spec_tests -- "$vector" | tail -1
echo "the vector fails with the fault and passes without it"
