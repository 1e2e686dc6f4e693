"""Writes the synthetic archive that the comparison with ObsPy runs on.

100 stations, three hours each, one file an hour with the channels HHE, HHN and HHZ: 300 files of
3 x 360,000 samples at 100 Hz (324 million in all), int32, Steim-2, records of 512 bytes, 248 MB.
An hour's file starts up to 0.99 s after the full hour, so nearly every channel runs a few samples
into the next hour: cut at the hours the archive has 1,791 pieces.

A channel is the sum of microseism (white noise through a resonance at 0.18 Hz), instrument noise,
the P and S waves of one event that reaches the stations one after the other, a drift and an offset.
Every file is drawn from its own seed, (SEED, station, hour): the bytes are always the same.

usage: archive.py OUT
"""

import os
import shutil
import sys
from multiprocessing import Pool

import numpy as np
from obspy import Stream, Trace, UTCDateTime
from scipy.signal import lfilter

SEED = 20240117
STATIONS, HOURS = 100, 3
RATE = 100.0  # Hz
NPTS = 360_000
DAY = UTCDateTime(2024, 1, 17)

RESONANCE_HZ, RESONANCE_RADIUS = 0.18, 0.9985
MICROSEISM_COUNTS, INSTRUMENT_COUNTS = 150.0, 3.0
# channel: largest counts of P and of S
CHANNELS = {"HHE": (500, 2500), "HHN": (600, 2200), "HHZ": (2000, 700)}


def packet(seconds, onset, hertz, decay):
    """A wave train that sets in softly at `onset` and dies away within `decay` seconds."""
    after = seconds - onset
    wave = np.zeros_like(seconds)
    on = after > 0
    after = after[on]
    wave[on] = np.sin(2 * np.pi * hertz * after) * np.exp(-after / decay) * (1 - np.exp(-after * hertz))
    return wave


def channel(random, seconds, p_onset, s_onset, p_counts, s_counts):
    """The samples of one channel; the order of the draws is part of the archive's definition."""
    resonance = [1, -2 * RESONANCE_RADIUS * np.cos(2 * np.pi * RESONANCE_HZ / RATE), RESONANCE_RADIUS**2]
    counts = lfilter([1.0], resonance, random.standard_normal(NPTS))
    counts *= MICROSEISM_COUNTS / counts.std()
    counts = counts + INSTRUMENT_COUNTS * random.standard_normal(NPTS)
    counts += p_counts * packet(seconds, p_onset, 1.0, 12.0) + s_counts * packet(seconds, s_onset, 0.25, 40.0)
    counts += 0.02 * seconds + float(random.integers(-2000, 2000))
    return np.rint(counts).astype(np.int32)


def write_file(job):
    folder, station, hour = job
    random = np.random.default_rng([SEED, station, hour])
    seconds = np.arange(NPTS) / RATE
    degrees_beyond_30 = (30.0 + 0.35 * station) - 30.0
    p_onset = 900.0 + 8.5 * degrees_beyond_30
    s_onset = p_onset + 240.0 + 6.0 * degrees_beyond_30
    start = DAY + 3600.0 * hour + float(random.integers(0, 100)) / RATE
    stream = Stream()
    for code, (p_counts, s_counts) in CHANNELS.items():
        header = dict(network="XX", station=f"S{station:03d}", location="00", channel=code,
                      sampling_rate=RATE, starttime=start)
        samples = channel(random, seconds, p_onset, s_onset, p_counts, s_counts)
        stream.append(Trace(data=samples, header=header))
    name = f"XX.S{station:03d}.2024.017.{hour:02d}.mseed"
    stream.write(os.path.join(folder, name), format="MSEED", encoding="STEIM2", reclen=512)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = sys.argv[1]
    part = out.rstrip("/") + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    jobs = [(part, station, hour) for station in range(STATIONS) for hour in range(HOURS)]
    with Pool() as pool:
        for done, _ in enumerate(pool.imap_unordered(write_file, jobs, chunksize=4), start=1):
            if done % 50 == 0:
                print(f"archive: {done} of {len(jobs)} files", file=sys.stderr)
    os.rename(part, out)  # only a whole archive bears the name


if __name__ == "__main__":
    main()
