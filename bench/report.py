"""The tables, out of results.json."""

import dataclasses
import statistics

from scenarios import SCENARIOS


@dataclasses.dataclass(frozen=True)
class Limit:
    """What is to be reached: a gateway's cost as a ratio to another's in the same run."""

    case: str
    scenario: str
    gateway: str
    instructions: float
    cpu: float
    base: str = "plain"


LIMITS = (
    Limit("hot cache, one token, 1 KB JWT", "one token", "hot cache", 1.05, 1.06),
    Limit("hot cache, 10,000 tokens", "10,000 tokens", "hot cache", 1.06, 1.15),
    Limit("hot cache, one token, 16 KB JWT", "16 KB", "hot cache", 1.08, 1.08),
    Limit("open_file_cache, one token, 1 KB JWT", "one token", "open_file_cache", 1.50, 1.50),
    Limit("open_file_cache, 10,000 tokens", "10,000 tokens", "open_file_cache", 1.52, 2.1),
    Limit("a miss through proxy_cache, to auth_request's", "new tokens", "proxy_cache", 1.05, 1.05, "auth_request"),
    Limit("hot cache, a zone in which nothing is revoked, to none", "one token", "hot cache, nothing revoked", 1.005, 1.005, "hot cache"),
    Limit("hot cache, 10,000 entries of all kinds, to none", "one token", "hot cache, 10,000 revoked", 1.02, 1.02, "hot cache"),
    Limit("a miss with the hot cache, to auth_request's", "new tokens", "hot cache", 1.05, 1.05, "auth_request"),
)


@dataclasses.dataclass(frozen=True)
class Column:
    title: str
    figure: str
    decimals: int = 0
    ratio: bool = False


COLUMNS = (
    Column("CPU, µs", "cpu", 1), Column("to plain", "cpu", 2, True),
    Column("instructions", "instructions"), Column("to plain", "instructions", 2, True),
    Column("system calls", "system calls", 1),
    Column("requests/s", "rate"), Column("to plain", "rate", 2, True), Column("p50, ms", "p50", 2), Column("p99, ms", "p99", 2),
    Column("p50 alone, ms", "alone p50", 2), Column("p50 beside misses, ms", "beside p50", 2),
    Column("p99 alone, ms", "alone p99", 2), Column("p99 beside misses, ms", "beside p99", 2),
    Column("misses, %", "misses", 2), Column("p50 of a miss, ms", "miss p50", 1),
    Column("memory, KiB", "memory"),
)


class Results:
    """What a run has measured, by scenario, gateway and figure."""

    def __init__(self, document):
        self.document = document
        self._scenarios = document["results"]

    def scenarios(self):
        return [scenario for scenario in SCENARIOS.values() if self._scenarios.get(scenario.name)]

    def gateways(self, scenario):
        return list(self._scenarios.get(scenario, {}))

    def values(self, scenario, gateway, figure):
        """Of all rounds. Instructions are user and kernel together where both were counted."""
        figures = self._scenarios.get(scenario, {}).get(gateway, {})
        if figure == "instructions":
            counted = [figures[event] for event in ("instructions:u", "instructions:k") if event in figures]
            return [sum(round_) for round_ in zip(*counted)]
        return figures.get(figure, [])

    def ratios(self, scenario, gateway, figure, base="plain"):
        """Round by round."""
        own, others = self.values(scenario, gateway, figure), self.values(scenario, base, figure)
        return [value / other for value, other in zip(own, others)]

    def median(self, scenario, gateway, figure):
        values = self.values(scenario, gateway, figure)
        return statistics.median(values) if values else None


def markdown(results):
    return "\n".join([*_head(results), *_limits(results), *(line for scenario in results.scenarios() for line in _table(results, scenario)),
                      *_left_out(results)]) + "\n"


def _head(results):
    run = results.document["run"]
    return ["# Results", "",
            f"`{run['command']}`, commit {run['commit']}, {run['date']}, {run['minutes']} minutes. {run['machine']}. "
            f"nginx's cache files: {run['cache']}.", "",
            f"Medians of {run['cost rounds']} rounds (cost) and {run['load rounds']} rounds (requests/s, latency), with minimum and maximum. "
            f"Instructions: {run['instructions']}. [README.md](../README.md) says what each figure means.", ""]


def _limits(results):
    rows = [row for limit in LIMITS for row in _limit(results, limit)] + _memory(results)
    if not rows:
        return []
    return ["## What to reach", "", "Ratios in the same run. The limits of instructions are those of user and kernel together; of the user's alone the ratio is "
            "higher, for the kernel's part differs less.", "",
            "| case | figure | limit | measured | inside |", "|---|---|---|---|---|", *rows, ""]


def _limit(results, limit):
    counted = "user and kernel" if results.values(limit.scenario, limit.gateway, "instructions:k") else "user only"
    for title, figure, bound in ((f"instructions, {counted}", "instructions", limit.instructions), ("CPU", "cpu", limit.cpu)):
        ratios = results.ratios(limit.scenario, limit.gateway, figure, limit.base)
        if ratios:
            decimals = 2 if bound * 100 == round(bound * 100) else 3
            yield _verdict(limit.case, title, f"≤ {bound:.{decimals}f}", _spread(ratios, decimals), statistics.median(ratios) <= bound)


def _memory(results):
    rows = []
    for gateway in ("proxy_cache", "hot cache"):
        growth = results.median("million", gateway, "growth")
        if growth is not None:
            rows.append(_verdict(f"worker's own memory over a million requests, {gateway}", "growth, KiB", "≤ 64", f"{growth:.0f}", growth <= 64))
    hot = results.median("zone", "hot cache", "hot")
    if hot is not None:
        rows.append(_verdict("10,000 tokens of 1 KB in a zone of 16 MB", "still there, %", "100", f"{hot:.1f}", hot == 100))
    return rows


def _verdict(case, figure, limit, measured, inside):
    return f"| {case} | {figure} | {limit} | {measured} | {'yes' if inside else '**no**'} |"


def _table(results, scenario):
    gateways = results.gateways(scenario.name)
    columns = [column for column in COLUMNS if any(results.values(scenario.name, gateway, column.figure) for gateway in gateways)]
    yield from (f"## {scenario.name}", "", f"{scenario.about[0].upper()}{scenario.about[1:]}.", "")
    yield f"| gateway | {' | '.join(column.title for column in columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for gateway in gateways:
        yield f"| {gateway} | {' | '.join(_cell(results, scenario.name, gateway, column) for column in columns)} |"
    yield ""


def _cell(results, scenario, gateway, column):
    find = results.ratios if column.ratio else results.values
    return _spread(find(scenario, gateway, column.figure), column.decimals)


def _spread(values, decimals):
    if not values:
        return ""
    median, least, most = (f"{value:,.{decimals}f}" for value in (statistics.median(values), min(values), max(values)))
    return median if least == most else f"{median} ({least}–{most})"


def _left_out(results):
    left_out = results.document["left out"]
    return [] if not left_out else ["## Left out", "", "nginx refuses the configuration of:", "",
                                    *(f"- {gateway}: `{reason.splitlines()[0]}`" for gateway, reason in left_out.items())]
