# SPDX-License-Identifier: BSD-2-Clause
"""Plots of the results as SVG, beside the JSON: lines over a logarithmic axis, and bars."""
import math
from html import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 190, 50, 60
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#e28413", "#6c4ab6", "#555555")
TICKS_MAX = 6


class Canvas:
    def __init__(self, title, x_title, y_title):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
        self.text(LEFT, TOP - 22, title, size=15)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 15, x_title, anchor="middle")
        self.text(LEFT, TOP - 6, y_title, colour="#555555")

    def text(self, x, y, words, anchor="start", size=12, colour="black"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                          f'font-size="{size}" fill="{colour}">{escape(str(words))}</text>')

    def line(self, points, colour, width=2):
        at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{at}" fill="none" stroke="{colour}" '
                          f'stroke-width="{width}"/>')

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                          f'height="{height:.1f}" fill="{colour}"/>')

    def key(self, number, words):
        y = TOP + 20 * number
        self.box(WIDTH - RIGHT + 15, y, 12, 12, COLOURS[number % len(COLOURS)])
        self.text(WIDTH - RIGHT + 33, y + 11, words)

    def written(self):
        return "\n".join(self.parts + ["</svg>", ""])


def short(value):
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def decades(low, high):
    """Powers of ten around them, as exponents."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return first, max(last, first + 1)


def steps(high):
    """Round values from 0 to beyond high."""
    step = 10 ** math.floor(math.log10(high / TICKS_MAX))
    step *= next(factor for factor in (1, 2, 5, 10) if high / (step * factor) <= TICKS_MAX)
    return [step * i for i in range(math.ceil(high / step) + 1)]


def place(share, start, end):
    return start + share * (end - start)


def lines(title, x_title, y_title, series, y_logarithmic):
    """series: {name: {x: y}}; x over a logarithmic axis."""
    series = {name: points for name, points in series.items() if points}
    values = [y for points in series.values() for y in points.values()]
    x_first, x_last = decades(min(min(points) for points in series.values()),
                              max(max(points) for points in series.values()))
    canvas = Canvas(title, x_title, y_title)

    def x_of(x):
        return place((math.log10(x) - x_first) / (x_last - x_first), LEFT, WIDTH - RIGHT)

    if y_logarithmic:
        y_first, y_last = decades(min(values), max(values))
        ticks = [10 ** exponent for exponent in range(y_first, y_last + 1)]

        def share(y):
            return (math.log10(y) - y_first) / (y_last - y_first)
    else:
        ticks = steps(max(values))

        def share(y):
            return y / ticks[-1]

    def y_of(y):
        return place(share(y), HEIGHT - BOTTOM, TOP)

    for tick in ticks:
        canvas.line([(LEFT, y_of(tick)), (WIDTH - RIGHT, y_of(tick))], "#dddddd", 1)
        canvas.text(LEFT - 8, y_of(tick) + 4, short(tick), anchor="end")
    for exponent in range(x_first, x_last + 1):
        x = x_of(10 ** exponent)
        canvas.line([(x, HEIGHT - BOTTOM), (x, TOP)], "#dddddd", 1)
        canvas.text(x, HEIGHT - BOTTOM + 18, short(10 ** exponent), anchor="middle")
    for number, (name, points) in enumerate(series.items()):
        at = [(x_of(x), y_of(y)) for x, y in sorted(points.items())]
        canvas.line(at, COLOURS[number % len(COLOURS)])
        for x, y in at:
            canvas.box(x - 3, y - 3, 6, 6, COLOURS[number % len(COLOURS)])
        canvas.key(number, name)
    return canvas.written()


def bars(title, y_title, groups):
    """groups: {group: {name: value}}."""
    names = list(dict.fromkeys(name for of in groups.values() for name in of))
    ticks = steps(max(value for of in groups.values() for value in of.values()))
    canvas = Canvas(title, "", y_title)
    room = (WIDTH - RIGHT - LEFT) / len(groups)
    width = room * 0.8 / len(names)

    def y_of(y):
        return place(y / ticks[-1], HEIGHT - BOTTOM, TOP)

    for tick in ticks:
        canvas.line([(LEFT, y_of(tick)), (WIDTH - RIGHT, y_of(tick))], "#dddddd", 1)
        canvas.text(LEFT - 8, y_of(tick) + 4, short(tick), anchor="end")
    for i, (group, of) in enumerate(groups.items()):
        for number, name in enumerate(names):
            if name in of:
                canvas.box(LEFT + room * (i + 0.1) + width * number, y_of(of[name]), width * 0.95,
                           y_of(0) - y_of(of[name]), COLOURS[number % len(COLOURS)])
        canvas.text(LEFT + room * (i + 0.5), HEIGHT - BOTTOM + 18, group, anchor="middle")
    for number, name in enumerate(names):
        canvas.key(number, name)
    return canvas.written()


LABELS = {"bare_redirect": "bare XDP redirect", "viaduct_1000": "Viaduct, 1,000 streams",
          "nft_nat": "kernel NAT", "rtpengine": "rtpengine", "viaduct": "viaductd",
          "kamailio_rtpengine": "kamailio + rtpengine"}


def latency_plot(latency, percent):
    series = {label: {int(rate): ways[key][percent] for rate, ways in latency["loads"].items()
                      if key in ways} for key, label in LABELS.items()}
    name = percent.removesuffix("_us").replace("_", ".")
    return lines(f"One-way latency, {name}", "packets a second offered", "microseconds", series, True)


def streams_plot(relay):
    ours = {int(streams): pps / 1e6 for streams, pps in relay["viaduct_pps"].items()}
    bare = {1000: relay["bare_redirect_pps"] / 1e6,
            max(ours): relay["bare_redirect_pps_many"] / 1e6}
    return lines("Packets relayed by one CPU that makes and counts them, too", "streams",
                 "million packets a second", {"Viaduct": ours, "bare XDP redirect": bare}, False)


def lossfree_plot(lossfree):
    rates = {"": {LABELS[key]: pps / 1e6 for key, pps in lossfree["pps"].items()}}
    return bars("Highest rate without loss", "million packets a second", rates)


def shapes_plot(shapes):
    groups = {name.replace("_", " "): {f"{size} bytes": figures["ratio"]
                                       for size, figures in sizes.items()}
              for name, sizes in shapes.items() if name != "cpus"}
    return bars("Viaduct to bare redirect, by family and size", "ratio", groups)


def versus_plot(versus, figure, title, unit, scale=1, y_logarithmic=False):
    series = {LABELS[key]: {int(held): of[figure] / scale
                            for held, of in versus.get(key, {}).items()
                            if of.get(figure)}
              for key in ("viaduct", "kamailio_rtpengine")}
    if not any(series.values()):
        return None
    return lines(title, "calls held", unit, series, y_logarithmic)


def profile_plot(profile):
    groups = {LABELS.get(key, key.replace("_", " ")): {
        "the way's program": sum(of["program_ns"].values()),
        "generator, veth, redirect, sink": of["packet_ns"] - sum(of["program_ns"].values())}
        for key, of in profile.items() if key != "distance_ns"}
    return bars("Where a packet's time goes", "ns", groups)


PLOTS = (
    ("latency-p50", "latency", lambda part: latency_plot(part, "p50_us")),
    ("latency-p99", "latency", lambda part: latency_plot(part, "p99_us")),
    ("latency-p99.9", "latency", lambda part: latency_plot(part, "p99_9_us")),
    ("streams", "relay", streams_plot),
    ("lossfree", "lossfree", lossfree_plot),
    ("shapes", "shapes", shapes_plot),
    ("profile", "profile", profile_plot),
    ("versus-rate", "versus", lambda part: versus_plot(
        part, "calls_per_second", "Calls a second sustained beside those held", "calls a second")),
    ("versus-latency", "versus", lambda part: versus_plot(
        part, "p99_us", "INVITE in to INVITE out, p99", "microseconds", y_logarithmic=True)),
    ("versus-memory", "versus", lambda part: versus_plot(
        part, "bytes_per_call", "Memory a call", "KiB", 1024)),
)


def write(results, directory):
    """A file for each plot whose part was measured. Their names."""
    names = []
    for name, part, draw in PLOTS:
        if not results.get(part) or set(results[part]) <= {"notes"}:
            continue
        drawn = draw(results[part])
        if drawn:
            (directory / f"{name}.svg").write_text(drawn)
            names.append(f"{name}.svg")
    return names
