"""Small pieces of SVG: scales, axes, marks. Colours come from the page's CSS variables, so one picture serves light and dark."""
import html
import math


def text(x, y, content, cls="", anchor="start", style=""):
    styled = f' style="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{cls}"{styled}>{html.escape(str(content))}</text>'


def line(x1, y1, x2, y2, cls):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{cls}"/>'


def bar(x, y, width, height, colour, title=""):
    """A bar that starts at x and has its free end rounded; `title` shows when the mouse is over it."""
    r = min(3, width / 2, height / 2)
    return (f'<path d="M{x:.1f} {y:.1f}h{width - r:.1f}q{r:.1f} 0 {r:.1f} {r:.1f}v{height - 2 * r:.1f}q0 {r:.1f} {-r:.1f} {r:.1f}h{r - width:.1f}z" '
            f'fill="{colour}"><title>{html.escape(title)}</title></path>')


def block(x, y, width, height, colour, opacity=1.0, title=""):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" fill="{colour}" fill-opacity="{opacity:.2f}">'
            f'<title>{html.escape(title)}</title></rect>')


def dot(x, y, colour, title="", radius=4):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" class="dot"><title>{html.escape(title)}</title></circle>'


def polyline(points, colour, width=2, dashed=False):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"{dash}/>'


def whisker(low, high, y, reach=4):
    """Least to greatest of the repeats, lying."""
    return line(low, y, high, y, "whisker") + line(low, y - reach, low, y + reach, "whisker") + line(high, y - reach, high, y + reach, "whisker")


def picture(width, height, parts, label):
    """One picture that scales with its place; `label` is read out by screen readers."""
    return (f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(label, quote=True)}" '
            f'style="max-width:{width * 1.25:.0f}px">{"".join(parts)}</svg>')


def linear(low, high, begin, end):
    span = (high - low) or 1
    return lambda value: begin + (value - low) / span * (end - begin)


def logarithmic(low, high, begin, end):
    scale = linear(math.log10(low), math.log10(high), begin, end)
    return lambda value: scale(math.log10(max(value, low)))


def round_steps(high, wanted=5):
    """Round numbers from 0 up to at least `high`, about `wanted` of them."""
    if high <= 0:
        return [0, 1]
    rough = high / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [step * i for i in range(math.ceil(high / step - 1e-9) + 1)]


def decade_steps(low, high):
    """1, 2, 5 × powers of ten that span low…high."""
    steps = [factor * 10 ** power for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1) for factor in (1, 2, 5)]
    below = max([step for step in steps if step <= low], default=steps[0])
    above = min([step for step in steps if step >= high], default=steps[-1])
    return [step for step in steps if below <= step <= above]


def labels_apart(positions, gap):
    """The positions, moved so that labels `gap` high do not overlap; their order stays."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [positions[i] for i in order]
    for _ in range(200):
        moved = False
        for i in range(1, len(placed)):
            overlap = gap - (placed[i] - placed[i - 1])
            if overlap > 0.01:
                placed[i - 1] -= overlap / 2
                placed[i] += overlap / 2
                moved = True
        if not moved:
            break
    result = [0.0] * len(positions)
    for i, position in zip(order, placed):
        result[i] = position
    return result
