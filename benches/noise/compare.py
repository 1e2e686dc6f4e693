"""The example noise_correlation in plain NumPy, SciPy and ObsPy, and how far its stacks are from these.

The steps, with the example's defaults: cut at multiples of 300 s in UTC, whole windows only; linear
detrend; Hann taper of 5 % at each end; band-pass 0.1 to 4 Hz, 4 corners, zero-phase; FFT resampling to
20 Hz; spectrum flat from 0.1 to 1 Hz; correlation of every two channels up to 20 s, divided by
the root of the product of the energies; the mean for each pair.

The example's --one-bit is left out: signs jump, so that a sample within rounding of 0 would count.

usage: compare.py ARCHIVE [--dump FOLDER] [--reference FILE]
--dump: what `mspass db export --json` wrote of the example's database; its stacks are compared, and a
difference above 1e-6 of a stack's largest value is a failure. --reference: where to write the stacks.
"""

import argparse
import base64
import json
import math
import os
import sys

import numpy as np
import obspy
from obspy import UTCDateTime
from scipy.signal import correlate

WINDOW_S, RATE_HZ, MAX_LAG_S = 300, 20.0, 20.0
WHITE_HZ, WHITE_TAPER_HZ = (0.1, 1.0), 0.01
TOLERANCE = 1e-6


def whiten(samples, rate):
    """Every bin of the band gets amplitude 1 and keeps its phase; half cosines at the edges."""
    spectrum = np.fft.rfft(samples)
    freqs = np.fft.rfftfreq(len(samples), 1 / rate)
    outside = np.maximum(np.maximum(WHITE_HZ[0] - freqs, freqs - WHITE_HZ[1]), 0)
    weight = np.where(outside < WHITE_TAPER_HZ, 0.5 + 0.5 * np.cos(np.pi * outside / WHITE_TAPER_HZ), 0)
    weight[outside <= 1e-9 * freqs] = 1
    amplitude = np.abs(spectrum)
    amplitude[amplitude == 0] = 1
    return np.fft.irfft(spectrum / amplitude * weight, len(samples))


def prepared(archive):
    """{window number: {channel: samples}}"""
    windows = {}
    for folder, _, names in sorted(os.walk(archive)):
        for name in sorted(names):
            if name.endswith(".json"):
                continue
            for trace in obspy.read(os.path.join(folder, name), format="MSEED"):
                first = math.ceil(trace.stats.starttime.timestamp / WINDOW_S)
                last = math.floor(trace.stats.endtime.timestamp / WINDOW_S)
                for number in range(first - 1, last + 1):
                    start = UTCDateTime(number * WINDOW_S)
                    end = start + WINDOW_S - trace.stats.delta
                    piece = trace.slice(start, end).copy()
                    if piece.stats.npts < WINDOW_S * trace.stats.sampling_rate - 0.5:
                        continue
                    piece.detrend("linear")
                    piece.taper(0.05, type="hann")
                    piece.filter("bandpass", freqmin=0.1, freqmax=4.0, corners=4, zerophase=True)
                    piece.resample(RATE_HZ, window=None)
                    windows.setdefault(number, {})[piece.id] = whiten(piece.data, RATE_HZ)
    return windows


def stacks(windows):
    """{pair: (windows, stack)}"""
    sums, lags = {}, round(MAX_LAG_S * RATE_HZ)
    for channels in windows.values():
        ids = sorted(channels)
        for index, first in enumerate(ids):
            for second in ids[index + 1:]:
                a, b = channels[first], channels[second]
                middle = len(b) - 1
                pair = correlate(a, b, mode="full", method="fft")[middle - lags:middle + lags + 1]
                pair /= np.sqrt(np.sum(a**2) * np.sum(b**2))
                sums.setdefault(f"{first}_{second}", []).append(pair)
    return {name: (len(pairs), np.mean(pairs, axis=0)) for name, pairs in sorted(sums.items())}


def number(value):
    """A number of canonical extended JSON, or a plain one."""
    return float(next(iter(value.values()))) if isinstance(value, dict) else float(value)


def documents(folder, name):
    for root, _, names in os.walk(folder):
        for file in names:
            if file in (name + ".json", name + ".jsonl"):
                with open(os.path.join(root, file)) as lines:
                    yield from (json.loads(line) for line in lines if line.strip())


def exported(folder):
    """The stacks of a database as `mspass db export --json` writes them."""
    chunks = {}
    for chunk in documents(folder, "fs.chunks"):
        content = base64.b64decode(chunk["data"]["$binary"]["base64"])
        chunks.setdefault(chunk["files_id"]["$oid"], {})[number(chunk["n"])] = content
    found = {}
    for document in documents(folder, "wf_TimeSeries"):
        parts = chunks[document["gridfs_id"]["$oid"]]
        samples = np.frombuffer(b"".join(parts[n] for n in sorted(parts)), dtype="<f8")
        found[document["pair"]] = (int(number(document["stack_count"])), samples)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("archive")
    parser.add_argument("--dump")
    parser.add_argument("--reference")
    options = parser.parse_args()
    reference = stacks(prepared(options.archive))
    if options.reference:
        rows = [{"pair": pair, "stack_count": count, "samples": [float(sample) for sample in stack]}
                for pair, (count, stack) in reference.items()]
        with open(options.reference, "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    if not options.dump:
        return
    found = exported(options.dump)
    if sorted(found) != sorted(reference):
        sys.exit(f"pairs: {sorted(found)} here, {sorted(reference)} in ObsPy")
    worst = 0.0
    for pair, (count, stack) in reference.items():
        count_here, stack_here = found[pair]
        if (count_here, len(stack_here)) != (count, len(stack)):
            sys.exit(f"{pair}: {count_here} windows, {len(stack_here)} lags here; {count}, {len(stack)} in ObsPy")
        difference = np.max(np.abs(stack_here - stack)) / np.max(np.abs(stack))
        worst = max(worst, difference)
        print(f"{pair}: {count} windows, {len(stack)} lags, largest difference {difference:.1e} of the maximum")
    if not worst <= TOLERANCE:
        sys.exit(f"the stacks differ by {worst:.1e}, more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
