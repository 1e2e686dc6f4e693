#!/usr/bin/env bash
# The MongoDB store against pymongo. See usage below.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: benches/compare_pymongo.sh [--rounds N]

Times the MongoDB store against pymongo on one mongod of our own (a replica set of one), one task
each, writes acknowledged by {w: "majority", j: true}: 100,000 documents like those of
wf_TimeSeries inserted and read whole, and 100 waveforms of 1 MB into GridFS and out of it. The two
take turns; the table gives medians and the median of the ratios of each round (above 1: we are
faster).

  --rounds N       rounds (default 5)

Needs python3 (3.9 or later, with venv) and pip's package index for the first run. Everything lies
in target/pymongo; delete it to start over. A round takes about half a minute. Let nothing else run.
TEXT
}

rounds=5
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=${2:?--rounds wants a number}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
case $rounds in '' | *[!0-9]* | 0) echo "--rounds wants a number from 1" >&2; exit 2 ;; esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}
place=$target/pymongo
python=$place/venv/bin/python
mkdir -p "$place"

if ! [ -f "$place/venv/complete" ]; then
  echo "installing pymongo into $place/venv" >&2
  rm -rf "$place/venv"
  python3 -m venv "$place/venv"
  "$python" -m pip --disable-pip-version-check install --quiet 'pymongo>=4.14'
  touch "$place/venv/complete"
fi

cargo build --workspace --release --bench mongo
bench=$(cargo build --workspace --release --bench mongo --message-format=json 2>/dev/null |
  sed -n 's/.*"executable":"\([^"]*\/mongo-[^"]*\)".*/\1/p' | tail -1)
exec "$python" benches/pymongo/compare.py --bench "$bench" --folder "$place/mongod" --rounds "$rounds"
