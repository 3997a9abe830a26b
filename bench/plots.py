"""The plots, as SVG."""

import pathlib
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402, after the choice of the backend

COLOURS = {
    "plain": "#6b7280",
    "auth_request": "#e0a030",
    "njs": "#b4532a",
    "proxy_cache": "#8fb8ea",
    "open_file_cache": "#3f7fd0",
    "hot cache": "#123f8c",
}
MARKERS = dict(zip(COLOURS, "osD^vP"))
LINES = ("plain", "hot cache", "open_file_cache", "proxy_cache", "auth_request", "njs")

plt.rcParams.update({
    "font.size": 10, "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": "#e5e7eb", "legend.frameon": False, "svg.hashsalt": "phantom-token",
})


def draw(results, folder):
    """Draws what there are figures for; returns the names of the files."""
    drawn = []
    for name, plot in (("cost.svg", _cost), ("jwt-size.svg", _jwt_size), ("tokens.svg", _tokens), ("hits-beside-misses.svg", _latency)):
        figure = plot(results)
        if figure:
            figure.savefig(pathlib.Path(folder) / name, bbox_inches="tight", metadata={"Date": None})
            plt.close(figure)
            drawn.append(name)
    return drawn


def _cost(results):
    """CPU per request as a ratio to plain. Signatures cost so much more that they are left to the table."""
    scenarios = [name for name in ("one token", "10,000 tokens") if results.values(name, "plain", "cpu")]
    rows = {name: [gateway for gateway in results.gateways(name) if "signature" not in gateway] for name in scenarios}
    if not scenarios:
        return None
    figure, axes = plt.subplots(len(scenarios), 1, sharex=True, squeeze=False, layout="constrained",
                                figsize=(7.5, 0.9 + 0.42 * sum(map(len, rows.values())) + 0.5 * len(scenarios)),
                                height_ratios=[len(rows[name]) for name in scenarios])
    for axis, name in zip(axes[:, 0], scenarios):
        _bars(axis, results, name, rows[name])
        axis.set_title(f"CPU per request, {name}")
    axes[-1, 0].set_xlabel("times plain proxying; the line is least to most of all rounds")
    return figure


def _bars(axis, results, scenario, gateways):
    for row, gateway in enumerate(gateways):
        ratios = results.ratios(scenario, gateway, "cpu")
        median = statistics.median(ratios)
        without = gateway.endswith("no checks")
        axis.barh(row, median, height=0.68, color=COLOURS[gateway.split(",")[0]], alpha=0.55 if without else 1)
        axis.plot([min(ratios), max(ratios)], [row, row], color="#111827", linewidth=1)
        axis.text(max(ratios) + 0.05, row, f"{median:.2f}", va="center", fontweight="normal" if without else "bold")
    axis.margins(x=0.12)
    axis.axvline(1, color="#111827", linewidth=0.8, linestyle=":")
    axis.set_yticks(range(len(gateways)), gateways)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.invert_yaxis()


def _jwt_size(results):
    sizes = {"1 KB": "one token", "4 KB": "4 KB", "16 KB": "16 KB"}
    if not all(results.values(scenario, "plain", "cpu") for scenario in sizes.values()):
        return None
    return _line_plot(results, sizes, "cpu", "CPU per request against the size of the JWT", "size of the JWT, one token", "µs")


def _tokens(results):
    counts = {"1": "one token", "100": "100 tokens", "1,000": "1,000 tokens", "10,000": "10,000 tokens", "each new": "new tokens"}
    if not all(results.values(scenario, "plain", "rate") for scenario in counts.values()):
        return None
    return _line_plot(results, counts, "rate", "Requests per second against the number of tokens", "tokens in rotation", "requests/s of one worker")


def _line_plot(results, scenarios, figure_name, title, across, up):
    figure, axis = plt.subplots(figsize=(7.5, 4.4), layout="constrained")
    places = range(len(scenarios))
    for gateway in LINES:
        spread = [results.values(scenario, gateway, figure_name) for scenario in scenarios.values()]
        if not all(spread):
            continue
        axis.plot(places, [statistics.median(values) for values in spread], color=COLOURS[gateway], marker=MARKERS[gateway], label=gateway,
                  linewidth=2, linestyle="--" if gateway == "plain" else "-")
        axis.vlines(places, [min(values) for values in spread], [max(values) for values in spread], color=COLOURS[gateway], linewidth=1)
    axis.set(title=title, xlabel=across, ylabel=up, ylim=(0, None))
    axis.set_xticks(places, scenarios)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _latency(results):
    scenario = "hits beside misses"
    gateways = [gateway for gateway in LINES if results.values(scenario, gateway, "beside p99")]
    if not gateways:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(7.5, 0.9 + 0.6 * len(gateways)), sharey=True, layout="constrained")
    for axis, quantile in zip(axes, ("p50", "p99")):
        for shift, what, colour in ((-0.18, "alone", "#c4cad4"), (0.18, "beside", "#123f8c")):
            label = "no misses" if what == "alone" else "1 % misses of 50 ms"
            for row, gateway in enumerate(gateways):
                values = results.values(scenario, gateway, f"{what} {quantile}")
                axis.barh(row + shift, statistics.median(values), height=0.34, color=colour, label=label if row == 0 else None)
                axis.plot([min(values), max(values)], [row + shift] * 2, color="#111827", linewidth=1)
        axis.set_title(f"{quantile} of the hits")
        axis.set_xlabel("ms")
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(gateways)), gateways)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2)
    return figure
