#!/usr/bin/env bash
# The stacks of the example noise_correlation beside those of ObsPy and SciPy. See usage below.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: benches/compare_noise.sh [--archive DIR] [--reference FILE]

Runs the example noise_correlation and the same steps in NumPy, SciPy and ObsPy 1.5.1, and says how
far apart the stacks are; more than 1e-6 of a stack's largest value is a failure.

  --archive DIR     a folder of miniSEED files (default: the sample, examples/data/sds)
  --reference FILE  write the stacks of SciPy there as JSON (tests/fixtures/noise_stacks.json is so
                    made)

Needs python3 (3.9 or later, with venv) and pip's package index for the first run. Everything lies
in target/obspy; delete it to start over.
TEXT
}

archive='' reference=''
while [ $# -gt 0 ]; do
  case $1 in
    --archive) archive=${2:?--archive wants a folder}; shift 2 ;;
    --reference) reference=${2:?--reference wants a file}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
if [ -n "$archive" ]; then
  [ -d "$archive" ] || { echo "there is no folder $archive" >&2; exit 2; }
  archive=$(cd "$archive" && pwd)
fi
if [ -n "$reference" ]; then reference=$(realpath "$reference"); fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
archive=${archive:-$PWD/examples/data/sds}
target=${CARGO_TARGET_DIR:-target}
place=$target/obspy
python=$place/venv/bin/python
mkdir -p "$place"

if ! [ -f "$place/venv/complete" ]; then
  echo "installing ObsPy into $place/venv" >&2
  rm -rf "$place/venv"
  python3 -m venv "$place/venv"
  "$python" -m pip --disable-pip-version-check install --quiet 'setuptools<81' numpy scipy obspy==1.5.1
  touch "$place/venv/complete"
fi

cargo build --workspace --release --bin mspass --example noise_correlation
rm -rf "$place/noise"
"$target/release/examples/noise_correlation" --archive "$archive" --workdir "$place/noise" --quiet
"$target/release/mspass" db export "$place/noise/dump" --db "embedded:$place/noise/db" --json
exec "$python" benches/noise/compare.py "$archive" --dump "$place/noise/dump" \
  ${reference:+--reference "$reference"}
