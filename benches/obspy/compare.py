"""Times the main job in ObsPy and in MsPASS, interleaved, whole processes. compare_obspy.sh calls it.

usage: compare.py --desktop PROGRAM --scratch FOLDER --rounds N ARCHIVE...
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# glibc told to keep what a process frees: ObsPy at its best on several cores.
TUNED_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1073741824", "MALLOC_MMAP_THRESHOLD_": "536870912"}
OBSPY_ONE, OBSPY_TWO, MSPASS = "ObsPy, one process", "ObsPy, two processes, tuned allocator", "MsPASS desktop"


def timed(command, environment, log):
    """Runs a command to its end. Its wall time (s), peak resident memory (MB) and last line of stdout.

    The memory is that of the largest process among it and its children; two processes hold up to
    twice that.
    """
    with open(log, "w+") as stdout, open(log + ".err", "w") as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        lines = stdout.read().strip().splitlines()
    if process.returncode != 0:
        with open(log + ".err") as text:
            sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{text.read()[-2000:]}")
    return seconds, usage.ru_maxrss / 1024, json.loads(lines[-1])


def run(kind, archive, options):
    """One run in an empty folder, which is emptied again outside the timed part."""
    out = os.path.join(options.scratch, "out")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    environment = dict(os.environ)
    if kind == MSPASS:
        command = [options.desktop, "--archive", archive, "--workdir", out, "--json"]
    else:
        processes = "1" if kind == OBSPY_ONE else "2"
        command = [sys.executable, os.path.join(HERE, "job.py"), archive, out, processes]
        if kind == OBSPY_TWO:
            environment.update(TUNED_ALLOCATOR)
    result = timed(command, environment, os.path.join(options.scratch, "log"))
    shutil.rmtree(out)
    return result


def agree(reports):
    """ObsPy and MsPASS must have done the same work; a sentence where they did not."""
    obspy, mspass = reports[OBSPY_ONE], reports[MSPASS]
    faults = []
    if mspass["in"] != mspass["live"] + mspass["dead"] + mspass["aborted"]:
        faults.append("in is not live + dead + aborted")
    if mspass["in"] - mspass["aborted"] != obspy["pieces"]:
        faults.append(f"pieces: {mspass['in'] - mspass['aborted']} here, {obspy['pieces']} in ObsPy")
    if mspass["samples_in"] != obspy["samples_in"]:
        faults.append(f"samples in: {mspass['samples_in']} here, {obspy['samples_in']} in ObsPy")
    return faults


def warm_up(archive):
    """Reads the archive once, so that the first run is not the only one to wait for the disk."""
    total = 0
    for folder, _, names in os.walk(archive):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                while block := file.read(1 << 20):
                    total += len(block)
    return total


def compare(archive, options):
    size = warm_up(archive)
    kinds = [OBSPY_ONE, OBSPY_TWO, MSPASS]
    figures = {kind: [] for kind in kinds}
    reports = {}
    for number in range(options.rounds):
        for kind in kinds[number % 3:] + kinds[:number % 3]:  # nobody is always first
            seconds, megabytes, reports[kind] = run(kind, archive, options)
            figures[kind].append((seconds, megabytes))
            print(f"round {number + 1}: {kind}: {seconds:.2f} s, {megabytes:.0f} MB", file=sys.stderr)
    samples = reports[OBSPY_ONE]["samples_in"]
    print(f"\n### {os.path.basename(os.path.normpath(archive))}: {reports[OBSPY_ONE]['files']} files, "
          f"{size / 1e6:.0f} MB, {samples / 1e6:.0f} million samples, {reports[OBSPY_ONE]['pieces']} pieces")
    print("| | wall, s | range | Msamples/s | peak memory, MB | time relative to MsPASS |\n|---|---|---|---|---|---|")
    median = {kind: statistics.median(seconds for seconds, _ in figures[kind]) for kind in kinds}
    for kind in kinds:
        walls = [seconds for seconds, _ in figures[kind]]
        peak = max(megabytes for _, megabytes in figures[kind])
        each = " each" if kind == OBSPY_TWO else ""
        print(f"| {kind} | {median[kind]:.2f} | {min(walls):.2f} to {max(walls):.2f} | {samples / median[kind] / 1e6:.1f} "
              f"| {peak:.0f}{each} | {median[kind] / median[MSPASS]:.1f} |")
    counts = {key: reports[MSPASS][key] for key in ("in", "live", "dead", "aborted", "saved")}
    print("MsPASS: " + ", ".join(f"{key} {value}" for key, value in counts.items()))
    faults = agree(reports)
    for fault in faults:
        print(f"NOT THE SAME WORK: {fault}")
    return not faults


def processor():
    try:
        with open("/proc/cpuinfo") as text:
            return next(line.split(":", 1)[1].strip() for line in text if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--desktop", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("archives", nargs="+")
    options = parser.parse_args()
    os.makedirs(options.scratch, exist_ok=True)
    print(f"{options.rounds} interleaved rounds, whole processes, medians; {os.cpu_count()} x {processor()}, "
          f"{time.strftime('%Y-%m-%d')}")
    same = [compare(archive, options) for archive in options.archives]
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
