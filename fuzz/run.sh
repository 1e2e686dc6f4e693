#!/usr/bin/env bash
# Fuzzes one parser for a while, on the stable compiler: fuzz/run.sh TARGET SECONDS
#
# What libFuzzer needs of the compiler is a pass of LLVM's, named by hand; only the address
# sanitizer needs a nightly one, and does without: the code is safe Rust. A finding ends the run
# with its input in fuzz/artifacts/TARGET; `fuzz/run.sh TARGET 0 FILE` shows it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
targets=$(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | grep -v '^mspass-fuzz$')
if [ $# -lt 2 ] || ! grep -qx -- "$1" <<<"$targets"; then
  printf 'usage: fuzz/run.sh TARGET SECONDS [INPUT]\nTARGET is one of:\n%s\n' "$targets" >&2
  exit 2
fi
target=$1 seconds=$2
shift 2

export RUSTFLAGS="-Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares \
  --cfg fuzzing"
# The versions that the workspace is tested with.
[ Cargo.lock -nt ../Cargo.lock ] || cp ../Cargo.lock Cargo.lock
# Named, so that build scripts and macros are left as they are.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --target "$host" --bin "$target"
program=${CARGO_TARGET_DIR:-target}/$host/release/$target

export MSPASS_CORPUS="$PWD/corpus/$target"
mkdir -p "$MSPASS_CORPUS" "artifacts/$target"
if [ $# -gt 0 ]; then exec "$program" "$@"; fi
exec "$program" "$MSPASS_CORPUS" -max_total_time="$seconds" -max_len=65536 -timeout=20 \
  -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -artifact_prefix="artifacts/$target/"
