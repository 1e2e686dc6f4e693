"""Runs the bench `mongo` and pymongo in turn against the server that the bench holds; prints a table.

The bench reads commands, one a line, and answers each with the seconds that it took; before that it
prints the address of its server.
"""
import argparse
import statistics
import subprocess
import time

import gridfs
import pymongo
from bson import ObjectId
from pymongo.write_concern import WriteConcern

DOCUMENTS = 100_000
WAVEFORMS = 100
WAVEFORM_BYTES = 1_000_000
OPERATIONS = ("insert", "find", "put", "read")


def document(number):
    """As the bench makes them, field for field."""
    start = 1.7e9 + 3600.0 * (number // 3000)
    return {
        "_id": ObjectId(f"{number:024x}"), "net": "XX", "sta": f"S{number % 1000:03d}", "loc": "00",
        "chan": ("HHE", "HHN", "HHZ")[number % 3], "npts": 360_000, "delta": 0.01,
        "sampling_rate": 100.0, "calib": 1.0, "starttime": start, "endtime": start + 3599.99,
        "time_standard": "UTC", "utc_convertible": True, "storage_mode": "gridfs",
        "gridfs_id": ObjectId(f"{number + (1 << 40):024x}"), "nbytes": 2_880_000,
        "channel_id": ObjectId(f"{number % 3000:024x}"), "site_id": ObjectId(f"{number % 1000:024x}"),
        "data_tag": "raw",
    }


class Pymongo:
    """The peer: one client, one task."""

    def __init__(self, uri):
        concern = WriteConcern(w="majority", j=True)
        self.client = pymongo.MongoClient(uri)
        self.database = self.client.get_database("peer", write_concern=concern)
        self.documents = [document(number) for number in range(DOCUMENTS)]
        self.samples = bytes(range(256)) * (WAVEFORM_BYTES // 256) + bytes(WAVEFORM_BYTES % 256)
        self.ids = []

    def insert(self):
        self.client.drop_database("peer")
        began = time.perf_counter()
        self.database.wf.insert_many(self.documents)
        return time.perf_counter() - began

    def find(self):
        began = time.perf_counter()
        assert sum(1 for _ in self.database.wf.find({})) == DOCUMENTS
        return time.perf_counter() - began

    def put(self):
        self.client.drop_database("peer")
        bucket = gridfs.GridFS(self.database)
        began = time.perf_counter()
        self.ids = [bucket.put(self.samples) for _ in range(WAVEFORMS)]
        return time.perf_counter() - began

    def read(self):
        bucket = gridfs.GridFS(self.database)
        began = time.perf_counter()
        for one in self.ids:
            assert len(bucket.get(one).read()) == WAVEFORM_BYTES
        return time.perf_counter() - began


class Bench:
    """Ours, at the other end of two pipes."""

    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, "--serve", folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.uri = self.process.stdout.readline().strip()

    def run(self, operation):
        self.process.stdin.write(operation + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bench = Bench(options.bench, options.folder)
    peer = Pymongo(bench.uri)
    walls = {operation: ([], []) for operation in OPERATIONS}
    for number in range(options.rounds):
        for operation in OPERATIONS:
            turns = [lambda: walls[operation][0].append(bench.run(operation)),
                     lambda: walls[operation][1].append(getattr(peer, operation)())]
            for turn in turns if number % 2 == 0 else reversed(turns):
                turn()
        print(f"round {number + 1} of {options.rounds}", flush=True)
    bench.stop()
    amounts = {"insert": (DOCUMENTS, "documents/s"), "find": (DOCUMENTS, "documents/s"),
               "put": (WAVEFORMS * WAVEFORM_BYTES / 1e6, "MB/s"),
               "read": (WAVEFORMS * WAVEFORM_BYTES / 1e6, "MB/s")}
    print(f"{'operation':10} {'mspass':>12} {'pymongo':>12} {'ratio':>6}  unit, medians of {options.rounds}")
    for operation, (ours, theirs) in walls.items():
        amount, unit = amounts[operation]
        ratio = statistics.median(b / a for a, b in zip(ours, theirs))
        print(f"{operation:10} {amount / statistics.median(ours):12,.0f} "
              f"{amount / statistics.median(theirs):12,.0f} {ratio:6.2f}  {unit}")


if __name__ == "__main__":
    main()
