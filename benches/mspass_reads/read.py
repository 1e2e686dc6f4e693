"""A real MsPASS reads a database of ours; what it finds is compared with what we wrote and read.

The program `mspass_reads` holds the server and writes the database `ours`; the desktop example adds
what a job writes. Prints a line for each fault and last `read_with_mspass: P passed, F failed`.
"""
import argparse
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
from bson import ObjectId
from mspasspy.ccore.seismic import Seismogram, TimeReferenceType
from mspasspy.db.client import DBClient
from mspasspy.db.normalize import MiniseedMatcher, OriginTimeMatcher, bulk_normalize

WAVEFORMS = ("wf_TimeSeries", "wf_Seismogram", "wf_miniseed")
PLACE = "@FILES@"


class Ours:
    """Our program, at the other end of two pipes."""

    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, "--write", folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.line()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("mspass_reads ended before its time")
        return line.strip()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.line()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Tally:
    """What passed, and what did not."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def count(self, what, faults):
        """Counts one thing looked at; `faults` are sentences."""
        if faults:
            self.failed += 1
            print(f"FAILED {what}: {'; '.join(faults)}")
        else:
            self.passed += 1


def load(file):
    """Entries of our program with their samples, an array of a row for each component."""
    entries = json.loads(Path(f"{file}.json").read_text())
    samples = np.fromfile(f"{file}.samples", dtype="<f8")
    for entry in entries:
        count = entry["components"] * entry["npts"]
        first = entry["first_sample"]
        entry["samples"] = samples[first:first + count].reshape(entry["components"], entry["npts"])
    return entries


def same(found, due):
    """Whether a value is as it is due: ids as hex digits, numbers by value."""
    if isinstance(found, ObjectId):
        return str(found) == due
    if isinstance(due, bool) or isinstance(found, bool):
        return found is due
    if isinstance(due, (int, float)) and isinstance(found, (int, float)):
        # pymongo has a kind of int of its own.
        kinds = isinstance(found, int) == isinstance(due, int)
        return kinds and math.isclose(found, due, rel_tol=1e-12, abs_tol=1e-9)
    return found == due


def keys_that_differ(found, due, skipped=()):
    """A sentence for each key of `due` that `found` has not, or has otherwise."""
    for key, value in due.items():
        if key not in skipped and not (key in found and same(found[key], value)):
            yield f"{key} is {found[key] if key in found else 'missing'}, not {value}"


def axis_faults(d, due):
    """What differs in length, times and time standard."""
    standard = "Relative" if d.tref == TimeReferenceType.Relative else "UTC"
    shift = d.time_reference() if d.shifted() and standard == "Relative" else None
    found = {"npts": d.npts, "dt": d.dt, "t0": d.t0, "time_standard": standard, "shift": shift}
    for key, value in found.items():
        if not same(value, due[key]) and not (key == "t0" and abs(value - due[key]) < 1e-6):
            yield f"{key} is {value}, not {due[key]}"


def datum_faults(d, due):
    """What differs between what MsPASS read and what is due."""
    if d.live != due["live"]:
        messages = [e.message for e in d.elog.get_error_log()]
        return [f"live is {d.live}, not {due['live']}: {messages}"]
    if not d.live:
        return []
    faults = list(axis_faults(d, due))
    samples = np.atleast_2d(np.array(d.data))
    if samples.shape != due["samples"].shape or samples.tobytes() != due["samples"].tobytes():
        faults.append("samples differ")
    skipped = []
    if isinstance(d, Seismogram):
        rows = np.array(due["tmatrix"]).reshape(3, 3)
        if not np.allclose(np.array(d.tmatrix), rows, rtol=0, atol=1e-12):
            faults.append(f"tmatrix is {np.array(d.tmatrix).tolist()}, not {rows.tolist()}")
        # MsPASS says so of no matrix that is not cardinal as well.
        skipped = [] if due["metadata"]["cardinal"] else ["orthogonal"]
    faults += keys_that_differ(dict(d), due["metadata"], skipped)
    faults += [f"MsPASS complains: {e.message}" for e in d.elog.get_error_log()]
    return faults


def log_faults(db, entries, due):
    """What differs between the log in a document and the one due."""
    found = [{"algorithm": e["algorithm"], "badness": e["badness"], "message": e["error_message"]}
             for e in entries]
    return [] if found == due else [f"log is {found}, not {due}"]


def elog_of(db, doc):
    """The entries of the log of a waveform document."""
    if "elog_id" not in doc:
        return []
    elog = db.elog.find_one({"_id": doc["elog_id"]})
    return elog["logdata"] if elog else [{"algorithm": "", "badness": "", "error_message": "lost"}]


def history_faults(db, doc, collection, steps):
    """What is wrong with the history that MsPASS loads with a datum."""
    d = db.read_data(doc, collection=collection, load_history=True, alg_name="read", alg_id="9")
    if not d.live or d.elog.size():
        return [f"with its history it is not sound: {[e.message for e in d.elog.get_error_log()]}"]
    if not steps:
        return [] if d.is_origin() else ["without a history it is no origin"]
    kept = db.history_object.find_one(doc["history_object_id"])
    stored = pickle.loads(kept["processing_history"])
    names, child = ["save_data"], stored.id()
    for _ in range(len(steps) + 1):
        parents = stored.get_nodes().get(child, [])
        if len(parents) == 1:
            names.insert(0, parents[0].algorithm)
            child = parents[0].uuid
    due = ["read_data", *steps, "save_data"]
    return [] if names == due and d.stage() == len(due) else [f"history is {names}, not {due}"]


def compare(db, entries, tally, what):
    """Compares every entry about a waveform with what MsPASS reads of its document."""
    for due in entries:
        collection = due["collection"]
        doc = db[collection].find_one({"_id": ObjectId(due["_id"])})
        try:
            if collection in WAVEFORMS:
                faults = waveform_faults(db, doc, due)
            else:
                faults = [*keys_that_differ(doc["tombstone"], due["metadata"]),
                          *log_faults(db, doc["logdata"], due["elog"])]
        except Exception as error:
            faults = [f"{type(error).__name__}: {error}"]
        tally.count(f"{what}, {collection} {due['_id']}", faults)


def waveform_faults(db, doc, due):
    """What differs for one waveform document."""
    collection = due["collection"]
    faults = datum_faults(db.read_data(doc, collection=collection), due)
    # Mode cautious is left out: MsPASS 2.4.3 raises there at `net`, its own documents' too.
    if db.read_data(doc, collection=collection, mode="pedantic").live != due["live"]:
        faults.append("it does not live in mode pedantic")
    if "steps" in due:
        # What was written, not read back: its log is in the database, with its history.
        faults += log_faults(db, elog_of(db, doc), due["elog"])
        faults += history_faults(db, doc, collection, due["steps"])
    # MsPASS misses a shift where there is none, in data of its own too.
    problems = {k: v for k, v in db.verify(doc["_id"], collection).items()
                if k != "starttime_shift" or due["shift"] is not None}
    return faults + [f"MsPASS's verify: {problems}"] * bool(problems)


def ensembles(db, entries, tally):
    """MsPASS reads the data of each tag in one call."""
    tags = {(e["collection"], e["metadata"].get("data_tag")) for e in entries if "steps" in e}
    for collection, tag in sorted(tags):
        query = {"data_tag": tag}
        ensemble = db.read_data(db[collection].find(query), collection=collection)
        live, due = sum(d.live for d in ensemble.member), db[collection].count_documents(query)
        faults = [] if live == due else [f"{live} members live, not {due}"]
        for d in ensemble.member:
            mine = next(e for e in entries if e["_id"] == str(d["_id"]))
            if np.atleast_2d(np.array(d.data)).tobytes() != mine["samples"].tobytes():
                faults.append(f"samples of {d['_id']} differ")
        tally.count(f"ensemble {collection} '{tag}'", faults)


def normalization(db, tally):
    """MsPASS's matchers find our stations and our event."""
    channels = MiniseedMatcher(db, "channel", attributes_to_load=["lat", "hang", "starttime",
                                                                 "endtime", "_id"])
    for doc in db.wf_miniseed.find({}):
        d = db.read_data(doc, collection="wf_miniseed", normalize=[channels])
        faults = [] if d.live else [e.message for e in d.elog.get_error_log()]
        if d.live:
            channel = db.channel.find_one({"_id": d["channel_id"]})
            fits = channel["starttime"] <= d.t0 < channel["endtime"]
            fits = fits and channel["sta"] == doc["sta"]
            faults = [] if fits and d["channel_lat"] == channel["lat"] else ["another channel"]
        tally.count(f"channel of {doc['_id']}", faults)
    matchers = [MiniseedMatcher(db, c, attributes_to_load=["starttime", "endtime", "_id"])
                for c in ("channel", "site")]
    # The event lies in the day of the sample archive.
    matchers.append(OriginTimeMatcher(db, t0offset=0.0, tolerance=86_400.0))
    found = bulk_normalize(db, matcher_list=matchers)
    due = db.wf_miniseed.count_documents({})
    tally.count("bulk_normalize", [] if set(found) == {due} else [f"{found} of {due} match"])


def imported(uri, folder, mspass, tally):
    """A database that MsPASS wrote, brought in by us, reads as it did."""
    files = str((folder / "files").resolve())
    subprocess.run([mspass, "db", "import", folder, "--db", uri, "--dir", f"{PLACE}={files}"],
                   check=True, stdout=subprocess.DEVNULL)
    db = DBClient(uri).get_database("made")
    for due in json.loads((folder / "expected.json").read_text())["reads"]:
        doc = db[due["collection"]].find_one({"_id": ObjectId(due["_id"])})
        try:
            d, faults = db.read_data(doc, collection=due["collection"]), []
        except Exception as error:
            raises = type(error).__name__
            faults = [] if raises == due.get("raises") else [f"raises {raises}"]
            tally.count(f"made, {due['collection']} {due['_id']}", faults)
            continue
        found = {"live": d.live, "npts": d.npts, "dt": d.dt, "t0": d.t0}
        faults = [f"{k} is {v}, not {due.get(k)}" for k, v in found.items() if v != due.get(k)]
        for row, component in zip(np.atleast_2d(np.array(d.data)), due.get("components", [])):
            if math.fsum(row[np.isfinite(row)]) != component["sum"]:
                faults.append("samples differ")
        tally.count(f"made, {due['collection']} {due['_id']}", faults)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, help="the program mspass_reads")
    parser.add_argument("--desktop", required=True, help="the program of the desktop example")
    parser.add_argument("--mspass", required=True, help="the command mspass")
    parser.add_argument("--scratch", required=True, type=Path)
    parser.add_argument("--made", type=Path, help="a folder of a database that MsPASS wrote")
    options = parser.parse_args()
    scratch, tally = options.scratch, Tally()
    ours = Ours(options.ours, str(scratch))
    uri = ours.ask("uri ours")
    job = [options.desktop, "--db", uri, "--workdir", scratch / "job", "--data-tag", "job"]
    subprocess.run([*job, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    print(f"{ours.ask(f'see ours {scratch}/seen')} waveforms, as we read them ourselves")
    db = DBClient(uri).get_database("ours")
    written, seen = load(scratch / "written"), load(scratch / "seen")
    compare(db, written, tally, "written")
    compare(db, seen, tally, "read by us too")
    ensembles(db, written, tally)
    normalization(db, tally)
    if options.made:
        imported(ours.ask("uri made"), options.made, options.mspass, tally)
    db.client.close()
    ours.stop()
    print(f"read_with_mspass: {tally.passed} passed, {tally.failed} failed")
    sys.exit(tally.failed > 0)


if __name__ == "__main__":
    main()
