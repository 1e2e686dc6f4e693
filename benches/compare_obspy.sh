#!/usr/bin/env bash
# The desktop example's main job against the same steps in ObsPy. See usage below.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: benches/compare_obspy.sh [--rounds N] [--archive DIR] [--no-synthetic]

Times the main job of the desktop example against the same steps in ObsPy 1.5.1: whole
processes, interleaved, medians and ratios in a table. The steps: read, cut at the UTC hours,
linear detrend, Hann taper, zero-phase band-pass, FFT resampling to 20 Hz, save.

Runs on a synthetic archive (300 files, 248 MB, 324 million samples; written on first use) and
on a folder of real data.

  --rounds N       rounds of the three contestants (default 3)
  --archive DIR    the folder of real miniSEED data, an SDS tree for instance
                   (default ../shared/data/sds, where it is there)
  --no-synthetic   leave the synthetic archive out

Needs python3 (3.9 or later, with venv) and pip's package index for the first run. Everything
lies in target/obspy: environment, archive and scratch; delete it to start over. A round on
the synthetic archive takes about a minute and a half on two cores. Let nothing else run.
TEXT
}

rounds=3 real='' synthetic=yes
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=${2:?--rounds wants a number}; shift 2 ;;
    --archive) real=${2:?--archive wants a folder}; shift 2 ;;
    --no-synthetic) synthetic=no; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
case $rounds in '' | *[!0-9]* | 0) echo "--rounds wants a number from 1" >&2; exit 2 ;; esac
if [ -n "$real" ]; then
  [ -d "$real" ] || { echo "there is no folder $real" >&2; exit 2; }
  real=$(cd "$real" && pwd)
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "$real" ] && [ -d ../shared/data/sds ]; then real=$(cd ../shared/data/sds && pwd); fi
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

archives=()
if [ "$synthetic" = yes ]; then
  if ! [ -d "$place/archive" ]; then
    echo "writing the synthetic archive into $place/archive" >&2
    "$python" benches/obspy/archive.py "$place/archive"
  fi
  archives+=("$place/archive")
fi
if [ -n "$real" ]; then archives+=("$real"); fi
if [ ${#archives[@]} -eq 0 ]; then echo "no archive to run on: see --help" >&2; exit 2; fi

cargo build --release --example desktop
exec "$python" benches/obspy/compare.py --desktop "$target/release/examples/desktop" \
  --scratch "$place/scratch" --rounds "$rounds" "${archives[@]}"
