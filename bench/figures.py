"""What a request costs the gateway's worker: time, system calls, instructions, memory."""

import contextlib
import pathlib
import re
import signal
import subprocess
import time

from processes import Failed

CALLGRIND = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes", "--callgrind-out-file=callgrind.%p")


def cpu_nanoseconds(processes):
    """User and kernel time that the processes have had."""
    return sum(int(pathlib.Path(f"/proc/{process}/schedstat").read_text().split()[0]) for process in processes)


def memory_kib(process, what="VmHWM"):
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)[1])


@contextlib.contextmanager
def system_calls(process):
    """Yields a dictionary; when the block ends it holds the number of calls by name."""
    counted = {}
    strace = subprocess.Popen(["strace", "-c", "-f", "-p", str(process)], stderr=subprocess.PIPE, text=True)
    line = strace.stderr.readline()
    if "attached" not in line:
        raise Failed(f"strace cannot attach, it may need root: {line}")
    try:
        yield counted
    finally:
        strace.send_signal(signal.SIGINT)
        output = strace.stderr.read()
        strace.wait()
    for row in re.finditer(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", output, re.MULTILINE):
        if row[2] != "total":
            counted[row[2]] = int(row[1])


def perf_counts_instructions():
    """Whether this machine lets perf count instructions, which virtual machines often do not."""
    try:
        tried = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "true"], capture_output=True, text=True)
    except FileNotFoundError:
        return False
    return tried.returncode == 0 and "not supported" not in tried.stderr and "not counted" not in tried.stderr


@contextlib.contextmanager
def perf_stat(process, events=("instructions:u", "instructions:k")):
    """Yields a dictionary; when the block ends it holds the count of each event."""
    counted = {}
    perf = subprocess.Popen(["perf", "stat", "-x,", "-e", ",".join(events), "-p", str(process)], stderr=subprocess.PIPE, text=True)
    time.sleep(0.2)
    try:
        yield counted
    finally:
        perf.send_signal(signal.SIGINT)
        output = perf.stderr.read()
        perf.wait()
    for line in output.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[2] in events:
            if not fields[0].isdigit():
                raise Failed(f"perf: {line}")
            counted[fields[2]] = int(fields[0])


def callgrind_switch(process, on):
    """Starts or ends counting in an nginx under valgrind."""
    said = subprocess.run(["callgrind_control", "-i", "on" if on else "off", str(process)], capture_output=True, text=True)
    if "OK" not in said.stdout:
        raise Failed(f"callgrind_control: {said.stdout} {said.stderr}")


def callgrind_total(profile):
    """The instructions that were counted, once the process has ended."""
    return int(re.search(r"^totals: (\d+)", profile.read_text(), re.MULTILINE)[1])
