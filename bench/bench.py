#!/usr/bin/python3
"""The benchmark. `./dev bench` starts it; README.md beside this file says what it measures."""

import argparse
import datetime
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import plots
import report
from gateways import GATEWAYS, with_module
from processes import CORES, HERE, MODULE, Failed
from scenarios import EVERY, MAIN, SCENARIOS, Effort, Run

WORK = HERE.parent / "build/bench"
PROFILES = WORK / "profiles"
COMMITTED = HERE / "results"

FULL = Effort(cost_rounds=5, load_rounds=3, seconds=1, counted=400)
QUICK = Effort(cost_rounds=1, load_rounds=1, seconds=1, counted=100)
QUICK_SCENARIOS = ("one token", "new tokens")


def main():
    options = _options()
    if options.report:
        _write(json.loads((options.output / "results.json").read_text()), options.output)
        return
    if not MODULE.exists():
        raise Failed(f"{MODULE} is not there: ./dev build")
    # What was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="phantom-token-bench-", dir=_fast_folder()) as folder:
        document = _measured(options, pathlib.Path(folder))
    _write(document, options.output)


def _measured(options, folder):
    started = time.monotonic()
    effort = QUICK if options.quick else FULL
    PROFILES.mkdir(parents=True, exist_ok=True)
    run = Run(folder, PROFILES, effort, lambda line: print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True))
    for name in options.scenario:
        run.measure(SCENARIOS[name], options.gateway)
    if options.whole:
        run.zone(options.gateway)
        run.million(options.gateway)
    return _document(run, effort, folder, (time.monotonic() - started) / 60)


def _fast_folder():
    """Memory where there is enough, so that the disk of the day decides nothing."""
    memory = pathlib.Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30 else None


def _options():
    parser = argparse.ArgumentParser(prog="./dev bench", description="Compares the module with plain proxying and with its alternatives.")
    parser.add_argument("--quick", action="store_true", help="in a minute, to see that everything works")
    parser.add_argument("--gateway", action="append", choices=EVERY, metavar="NAME",
                        help=f"only this one; again for more: {'; '.join(GATEWAYS)}")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, metavar="NAME",
                        help=f"only this one; again for more: {'; '.join(SCENARIOS)}")
    parser.add_argument("--against", type=pathlib.Path, metavar="MODULE.so",
                        help="another build of the module beside this one, in the same rounds")
    parser.add_argument("--output", type=pathlib.Path, metavar="FOLDER",
                        help="where tables and plots go; bench/results for a whole run, else build/bench")
    parser.add_argument("--report", action="store_true", help="measure nothing, write tables and plots anew from results.json")
    options = parser.parse_args()
    options.whole = not (options.quick or options.gateway or options.scenario or options.against)
    options.output = options.output or (COMMITTED if options.whole else WORK)
    options.gateway = ["plain", *(options.gateway or (MAIN if options.quick else EVERY))]
    if options.against:
        options.gateway += with_module(options.gateway, options.against.resolve())
    options.scenario = options.scenario or (QUICK_SCENARIOS if options.quick else list(SCENARIOS))
    return options


def _document(run, effort, folder, minutes):
    return {
        "run": {
            "command": " ".join(["./dev bench", *sys.argv[1:]]),
            "commit": _output("git", "-C", HERE, "describe", "--always", "--dirty", "--abbrev=9"),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            "machine": _machine(),
            "cache": "in memory (tmpfs)" if folder.parent == pathlib.Path("/dev/shm") else f"in {folder.parent}",
            "minutes": round(minutes, 1),
            "cost rounds": effort.cost_rounds,
            "load rounds": effort.load_rounds,
            "instructions": "user and kernel, by perf" if run.perf else "user only, by callgrind, for this machine does not let perf count",
        },
        "left out": run.left_out,
        "results": run.results,
    }


def _machine():
    processor = next(line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    nginx = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip().split("/")[1]
    return f"{processor}, {len(CORES)} cores, Linux {_output('uname', '-r')}, nginx {nginx}"


def _output(*command):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout.strip()


def _write(document, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    results = report.Results(document)
    (folder / "results.md").write_text(report.markdown(results))
    drawn = plots.draw(results, folder)
    print((folder / "results.md").read_text())
    print(f"Written: {folder}/results.md, results.json{''.join(f', {name}' for name in drawn)}")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"bench: {failed}")
