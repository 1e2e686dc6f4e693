"""The desktop example's main job in plain ObsPy.

Every file of the archive: read; cut at the UTC hours, half-open; linear detrend; Hann taper of 5 %
at each end; band-pass 0.05 to 8 Hz, 4 corners, zero-phase; FFT resampling to 20 Hz; saved as float64
miniSEED, one file for each file read. A file that cannot be read is counted and passed over.

usage: job.py ARCHIVE OUT PROCESSES
The last line of stdout is a JSON object: files, unreadable, pieces, samples_in.
"""

import os

# Before NumPy comes in: each process is one core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import math
import sys
import warnings
from multiprocessing import Pool

import numpy as np
import obspy
from obspy import Stream, Trace, UTCDateTime

HOUR_NS = 3_600 * 10**9
CODES = ("network", "station", "location", "channel", "sampling_rate")


def hours(trace):
    """The pieces between full hours; they share the samples of the trace."""
    start_ns = trace.stats.starttime.ns
    delta_ns = 1e9 / trace.stats.sampling_rate
    npts = trace.stats.npts
    first = 0
    while first < npts:
        first_ns = start_ns + round(first * delta_ns)
        next_hour_ns = (first_ns // HOUR_NS + 1) * HOUR_NS
        # The first sample at or after the hour; a millionth of a sample is rounding.
        end = math.ceil((next_hour_ns - start_ns) / delta_ns - 1e-6)
        end = min(max(end, first + 1), npts)
        if (first, end) == (0, npts):
            yield trace
        else:
            header = {key: trace.stats[key] for key in CODES}
            header["starttime"] = UTCDateTime(ns=first_ns)
            yield Trace(data=trace.data[first:end], header=header)
        first = end


def process_file(job):
    path, out = job
    try:
        stream = obspy.read(path, format="MSEED")
    except Exception:  # ObsPy raises many kinds, bare Exception among them
        return 0, 0, 1
    saved, samples_in = Stream(), 0
    for trace in stream:
        samples_in += trace.stats.npts
        for piece in hours(trace):
            piece.detrend("linear")
            piece.taper(0.05, type="hann")
            piece.filter("bandpass", freqmin=0.05, freqmax=8.0, corners=4, zerophase=True)
            piece.resample(20.0, window=None)
            piece.data = np.ascontiguousarray(piece.data, dtype=np.float64)
            saved.append(piece)
    saved.write(os.path.join(out, os.path.basename(path)), format="MSEED", encoding="FLOAT64")
    return len(saved), samples_in, 0


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    archive, out, processes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Pieces of one to four samples resample to less than one: ObsPy keeps one and says so.
    warnings.filterwarnings("ignore", message="Resampled trace would have less than one sample")
    paths = [os.path.join(folder, name)
             for folder, _, names in sorted(os.walk(archive))
             for name in sorted(names) if not name.endswith(".json")]
    jobs = [(path, out) for path in paths]
    if processes == 1:
        results = [process_file(job) for job in jobs]
    else:
        with Pool(processes) as pool:
            results = pool.map(process_file, jobs, chunksize=1)
    pieces, samples_in, unreadable = (sum(column) for column in zip(*results))
    print(json.dumps(dict(files=len(jobs), unreadable=unreadable, pieces=pieces, samples_in=samples_in)))


if __name__ == "__main__":
    main()
