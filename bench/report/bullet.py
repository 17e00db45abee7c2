"""The small picture in a row of the targets: where the value lies between aim, must, and beyond."""
from runner.results import number

from . import svg

WIDTH, HEIGHT, MIDDLE = 220, 26, 13


def draw(target):
    """Empty when there is no room between zero and a limit of zero."""
    found = target["value"]
    if not target["must"]:
        return ""
    most = max(target["must"], target["aim"], found["median"]) * 1.3
    x = svg.linear(0, most, 1, WIDTH - 1)
    low, high = sorted((x(target["aim"]), x(target["must"])))
    # From the left: aim, must, beyond; the other way round where more is better.
    fills = ("var(--aim-zone)", "var(--must-zone)", "var(--beyond-zone)")
    if not target["less_is_better"]:
        fills = fills[::-1]
    edges = (x(0), low, high, x(most))
    parts = [svg.block(edges[i], MIDDLE - 5, edges[i + 1] - edges[i], 10, fills[i]) for i in range(3)]
    tip = f"{number(found['median'])}, {number(found['min'])} to {number(found['max'])}; must {target['must']:g}, aim {target['aim']:g}"
    parts.append(svg.whisker(x(found["min"]), x(min(found["max"], most)), MIDDLE, 5))
    parts.append(svg.dot(x(found["median"]), MIDDLE, f"var(--{target['verdict']})", tip, 5.5))
    return svg.picture(WIDTH, HEIGHT, parts, tip)
