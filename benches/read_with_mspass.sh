#!/usr/bin/env bash
# A real MsPASS reads a database of ours. See usage below.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: benches/read_with_mspass.sh [--python PYTHON] [--made FOLDER]

Writes a database with every kind of waveform, storage, time standard and state into a mongod of our
own, adds what the desktop example's job writes, and has a real MsPASS read it: samples bit for bit,
times, metadata, error logs and histories are compared with what was written; MsPASS's verify, its
pedantic mode, its ensembles and its matchers over our stations and event must be content.

  --python PYTHON  a Python with mspasspy 2.4.3 (default: $MSPASS_PYTHON, else python3)
  --made FOLDER    a database that MsPASS wrote, with its expected.json: imported by us, it must
                   read as before (default ../shared/data/mspass/made, where it is there)

Everything lies in target/mspass_reads. It takes about a minute. The last line of the output is
`read_with_mspass: P passed, F failed`.
TEXT
}

python=${MSPASS_PYTHON:-python3} made=''
while [ $# -gt 0 ]; do
  case $1 in
    --python) python=${2:?--python wants a program}; shift 2 ;;
    --made) made=${2:?--made wants a folder}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
if ! "$python" -c 'import mspasspy.db.database' 2>/dev/null; then
  echo "$python has no mspasspy: name one that has it with --python" >&2
  exit 2
fi
python=$(command -v "$python") && python=$(realpath -s "$python")
if [ -n "$made" ]; then
  [ -f "$made/expected.json" ] || { echo "there is no $made/expected.json" >&2; exit 2; }
  made=$(cd "$made" && pwd)
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "$made" ] && [ -f ../shared/data/mspass/made/expected.json ]; then
  made=$(cd ../shared/data/mspass/made && pwd)
fi
target=${CARGO_TARGET_DIR:-target}
scratch=$target/mspass_reads
rm -rf "$scratch"
mkdir -p "$scratch"

cargo build --workspace --release --bench mspass_reads --bin mspass --example desktop
bench=$(cargo build --workspace --release --bench mspass_reads --message-format=json 2>/dev/null |
  sed -n 's/.*"executable":"\([^"]*\/mspass_reads-[^"]*\)".*/\1/p' | tail -1)
exec "$python" benches/mspass_reads/read.py --ours "$bench" --mspass "$target/release/mspass" \
  --desktop "$target/release/examples/desktop" --scratch "$(realpath "$scratch")" \
  ${made:+--made "$made"}
