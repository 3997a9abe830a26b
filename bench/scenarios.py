"""What is measured, on which gateways, and how: each gateway in turn, round after round."""

import contextlib
import dataclasses
import itertools
import re
import resource
import shutil

import figures
import load
import tokens
from gateways import GATEWAYS, World, against
from processes import CORES, GATEWAY_CORE, OTHER_CORE, Failed, Refused

EVERY = tuple(GATEWAYS)
MAIN = ("plain", "auth_request", "njs", "proxy_cache", "open_file_cache", "hot cache")


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    measures: tuple  # of cost, instructions, system calls, load, latency beside misses
    gateways: tuple = MAIN
    size: str = "1 KB"
    tokens: int = 1  # 0: each request brings a new one
    http2: bool = False
    workers: int = 1
    slow: bool = False


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("one token", "one token, its answer cached, JWT of 1 KB",
             ("cost", "instructions", "system calls", "load"), EVERY),
    Scenario("10,000 tokens", "10,000 tokens in rotation, their answers cached, JWT of 1 KB",
             ("cost", "instructions", "system calls", "load"), tokens=10000),
    Scenario("new tokens", "each request brings a token that nobody has sent before, the authorization server answers at once",
             ("cost", "instructions", "system calls", "load"), tokens=0),
    Scenario("4 KB", "one token, JWT of 4 KB", ("cost", "instructions"), size="4 KB"),
    Scenario("16 KB", "one token, JWT of 16 KB", ("cost", "instructions"), size="16 KB"),
    Scenario("HTTP/2", "one token, clients speak HTTP/2, 10 requests at a time on a connection",
             ("cost", "instructions", "load"), http2=True),
    Scenario("100 tokens", "100 tokens in rotation", ("load",), tokens=100),
    Scenario("1,000 tokens", "1,000 tokens in rotation", ("load",), tokens=1000),
    Scenario("4 workers", "one token, 4 workers, everything on all cores", ("load",), workers=4),
    Scenario("hits beside misses", "hits on one token while 1 % of the requests are misses and the authorization server takes 50 ms",
             ("latency beside misses",), MAIN[1:], slow=True),
)}



MOST_A_SECOND = 12000  # requests that a gateway answers which verifies a signature for each

@dataclasses.dataclass(frozen=True)
class Effort:
    """How long it takes."""

    cost_rounds: int
    load_rounds: int
    seconds: int  # of each round and gateway
    counted: int  # requests that are counted one by one, by callgrind and strace


class Run:
    """One run of the benchmark. results: by scenario, gateway and figure, the values of all rounds."""

    def __init__(self, folder, profiles, effort, say):
        """folder: for configurations and caches; profiles: where callgrind's are kept."""
        self._folder = folder
        self._profiles = profiles
        self._effort = effort
        self._say = say
        self._series = itertools.count()
        self._key = tokens.Key(self._folder)
        self.perf = figures.perf_counts_instructions()
        self.results = {}
        self.left_out = {}
        # open_file_cache holds a descriptor for each token.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def measure(self, scenario, names):
        """Measures a scenario on the gateways named; plain is there always, for the ratios."""
        results = self.results.setdefault(scenario.name, {})
        with contextlib.ExitStack() as running:
            folder = self._folder / _file_name(scenario.name)
            world = World(folder, self._key, scenario.size).start()
            running.callback(shutil.rmtree, folder)
            running.callback(world.stop)
            gateways = {}
            for name in (name for known in scenario.gateways for name in (known, against(known))):
                if name in names:
                    self._start(running, world, scenario, name, gateways)
            for name in gateways:
                results[name] = {}
            for measure in scenario.measures:
                self._say(f"{scenario.name}: {measure}")
                MEASURES[measure](self, scenario, world, gateways, results)
            for name, gateway in gateways.items():
                _add(results[name], "memory", figures.memory_kib(gateway.nginx.workers()[0]))
                if gateway.complaints():
                    raise Failed(f"{scenario.name}, {name}: {gateway.complaints()[:3]}")

    def _start(self, running, world, scenario, name, gateways):
        gateway = world.gateway(GATEWAYS[name], scenario.slow, workers=scenario.workers)
        running.callback(gateway.stop)
        try:
            gateway.start()
        except Refused as refused:
            if name not in self.left_out:
                self._say(f"LEFT OUT: {name}: {refused}")
            self.left_out[name] = str(refused)
            return
        self._warm_up(scenario, gateway)
        gateways[name] = gateway

    def _warm_up(self, scenario, gateway):
        count = max(scenario.tokens, 50 * scenario.workers)
        load.exactly(gateway.port, self._tokens(scenario, gateway, count).each(count))

    def _tokens(self, scenario, gateway, count):
        """count: of the requests that there will be, at most."""
        if scenario.tokens == 0:
            return load.Tokens(self._folder, "new", tokens.opaque(1, f"new{next(self._series)}-"))
        sent = tokens.opaque(scenario.tokens)
        if gateway.gateway.proofs_count_once:
            return load.Tokens(self._folder, "rotate", gateway.credentials(sent * count))
        return load.Tokens(self._folder, "one" if scenario.tokens == 1 else "rotate", gateway.credentials(sent))

    def _send(self, scenario, gateway, cores):
        if scenario.http2:
            return load.h2load(gateway.port_http2, tokens.opaque(1)[0], self._effort.seconds, cores)
        most = MOST_A_SECOND * self._effort.seconds
        return load.wrk(gateway.port, self._tokens(scenario, gateway, most), self._effort.seconds, cores)

    def cost(self, scenario, world, gateways, results):
        """Everything on one core: the time that the worker has had; where perf counts, its instructions too."""
        world.pin({GATEWAY_CORE})
        for name, gateway in _in_turn(gateways, self._effort.cost_rounds):
            gateway.nginx.pin({GATEWAY_CORE})
            worker = gateway.nginx.workers()[0]
            with figures.perf_stat(worker) if self.perf else contextlib.nullcontext({}) as counted:
                before = figures.cpu_nanoseconds([worker])
                report = self._send(scenario, gateway, {GATEWAY_CORE})
                spent = figures.cpu_nanoseconds([worker]) - before
            _add(results[name], "cpu", spent / report.requests / 1000)
            for event, count in counted.items():
                _add(results[name], event, count / report.requests)

    def instructions(self, scenario, world, gateways, results):
        """User instructions by callgrind, on an nginx of its own; perf has counted already where it can."""
        if self.perf:
            return
        for name in gateways:
            gateway = world.gateway(GATEWAYS[name], scenario.slow, wrapper=figures.CALLGRIND)
            try:
                gateway.start()
                self._warm_up(scenario, gateway)
                worker = gateway.nginx.workers()[0]
                figures.callgrind_switch(worker, True)
                self._send_counted(scenario, gateway)
                figures.callgrind_switch(worker, False)
            finally:
                gateway.stop()
            profile = gateway.nginx.folder / f"callgrind.{worker}"
            shutil.copy(profile, self._profiles / f"{_file_name(scenario.name)}.{_file_name(name)}.callgrind")
            _add(results[name], "instructions:u", figures.callgrind_total(profile) / self._effort.counted)

    def system_calls(self, scenario, world, gateways, results):
        for name, gateway in gateways.items():
            with figures.system_calls(gateway.nginx.workers()[0]) as calls:
                self._send_counted(scenario, gateway)
            _add(results[name], "system calls", sum(calls.values()) / self._effort.counted)

    def _send_counted(self, scenario, gateway):
        if scenario.http2:
            load.exactly_http2(gateway.port_http2, tokens.opaque(1)[0], self._effort.counted)
        else:
            load.exactly(gateway.port, self._tokens(scenario, gateway, self._effort.counted).each(self._effort.counted))

    def load(self, scenario, world, gateways, results):
        """The gateway on one core, everything else on another; several workers on all."""
        apart = scenario.workers == 1
        others = {OTHER_CORE} if apart else set(CORES)
        world.pin(others)
        for name, gateway in _in_turn(gateways, self._effort.load_rounds):
            gateway.nginx.pin({GATEWAY_CORE} if apart else set(CORES))
            report = self._send(scenario, gateway, others)
            _add(results[name], "rate", report.rate)
            _add(results[name], "p50", report.p50)
            _add(results[name], "p99", report.p99)

    def latency_beside_misses(self, scenario, world, gateways, results):
        """Two clients: one sends the hits and is looked at, the other so many new tokens that they are 1 % of all."""
        world.pin({OTHER_CORE})
        for name, gateway in _in_turn(gateways, self._effort.load_rounds):
            hits = self._tokens(scenario, gateway, 1)
            gateway.nginx.pin({GATEWAY_CORE})
            seconds = self._effort.seconds
            alone = load.wrk(gateway.port, hits, seconds, {OTHER_CORE})
            # Each connection has a miss answered every 50 ms.
            connections = max(1, round(alone.rate * 0.01 * 0.05))
            new = load.Tokens(self._folder, "new", tokens.opaque(1, f"new{next(self._series)}-"))
            misses = load.wrk_started(gateway.port, new, seconds, {OTHER_CORE}, connections)
            beside = load.wrk(gateway.port, hits, seconds, {OTHER_CORE})
            missed = misses()
            figures_of_round = {"alone p50": alone.p50, "alone p99": alone.p99, "beside p50": beside.p50, "beside p99": beside.p99,
                                "misses": 100 * missed.rate / (missed.rate + beside.rate), "miss p50": missed.p50}
            for figure, value in figures_of_round.items():
                _add(results[name], figure, value)

    def zone(self, names):
        """How many of 10,000 tokens a hot cache of 16 MB holds, in percent."""
        for gateway in self._single("hot cache", names):
            sent = tokens.opaque(10000)
            load.exactly(gateway.port, sent)
            heads = load.exactly(gateway.port, sent, "/cache")
            hot = sum("\r\nX-Cache: HOT" in head for head in heads)
            _add(self.results.setdefault("zone", {}).setdefault("hot cache", {}), "hot", 100 * hot / len(sent))

    def million(self, names, requests=1000000):
        """How much a worker grows from the first 50,000 requests to the last of a million, in KiB."""
        one = load.Tokens(self._folder, "one", tokens.opaque(1))
        for name in ("proxy_cache", "hot cache"):
            for gateway in self._single(name, names):
                worker = gateway.nginx.workers()[0]
                sent, before = 0, None
                while sent < requests:
                    sent += load.wrk(gateway.port, one, 2, {OTHER_CORE}).requests
                    if before is None and sent >= 50000:
                        before = figures.memory_kib(worker, "RssAnon")
                growth = figures.memory_kib(worker, "RssAnon") - before
                _add(self.results.setdefault("million", {}).setdefault(name, {}), "growth", growth)

    def _single(self, name, names):
        """That gateway, alone and running, unless it is left out or not wanted."""
        if name in self.left_out or name not in names:
            return
        with contextlib.ExitStack() as running:
            folder = self._folder / "single"
            world = World(folder, self._key, "1 KB").start()
            running.callback(shutil.rmtree, folder)  # or the next one would find its cache, with this one's JWT
            running.callback(world.stop)
            gateway = world.gateway(GATEWAYS[name])
            running.callback(gateway.stop)
            world.pin({OTHER_CORE})
            gateway.start()
            gateway.nginx.pin({GATEWAY_CORE})
            yield gateway


MEASURES = {"cost": Run.cost, "instructions": Run.instructions, "system calls": Run.system_calls, "load": Run.load,
            "latency beside misses": Run.latency_beside_misses}


def _file_name(name):
    return re.sub(r"[^\w]+", "-", name)


def _in_turn(gateways, rounds):
    """Each gateway once a round, so that what disturbs the machine for a while disturbs all."""
    for _ in range(rounds):
        yield from gateways.items()


def _add(figures_of_gateway, figure, value):
    figures_of_gateway.setdefault(figure, []).append(value)
