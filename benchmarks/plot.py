"""Plot a page's time by the size of the catalog, as SVG."""

from math import log10

_WIDTH, _HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 200, 40, 50
_COLOURS = ("#b3261e", "#e08a00", "#1a5fb4", "#5e9cd3")
_TITLE = "Time of a page of 100 photos, one connection (ms)"
_STYLE = "font: 13px system-ui, sans-serif; background: #fff"


def svg(points: dict[int, dict[str, float]]) -> str:
    """Return a plot of milliseconds by number of photos, with logarithmic scales."""
    sizes = sorted(points)
    names = list(points[sizes[0]])
    values = [value for at in points.values() for value in at.values()]
    across = _Scale(log10(sizes[0]), log10(sizes[-1]), _LEFT, _WIDTH - _RIGHT)
    up = _Scale(
        int(log10(min(values)) // 1), int(-(-log10(max(values)) // 1)), _HEIGHT - _BOTTOM, _TOP
    )
    parts = [
        f'<text x="{_LEFT}" y="22" font-weight="600">{_TITLE}</text>',
        *(_rule(up(power), f"{10.0**power:g}") for power in range(up.low, up.high + 1)),
        *(_tick(across(log10(size)), f"{size:,}") for size in sizes),
    ]
    ends = _spread([up(log10(points[sizes[-1]][name])) for name in names])
    for name, colour, end in zip(names, _COLOURS, ends, strict=True):
        line = " ".join(
            f"{across(log10(size)):.1f},{up(log10(points[size][name])):.1f}" for size in sizes
        )
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        )
        parts.append(
            f'<text x="{_WIDTH - _RIGHT + 10}" y="{end + 4:.1f}" fill="{colour}">'
            f"{name}: {points[sizes[-1]][name]:.3g}</text>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' style="{_STYLE}">\n' + "\n".join(parts) + "\n</svg>\n"
    )


class _Scale:
    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = int(low), int(high)
        self._low, self._start = low, start
        self._step = (end - start) / ((high - low) or 1)

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._step


def _rule(y: float, text: str) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _tick(x: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 24}" text-anchor="middle">{text}</text>'


def _spread(places: list[float], least: float = 17) -> list[float]:
    """Move labels down until none overlap."""
    moved = dict.fromkeys(range(len(places)), 0.0)
    before = float("-inf")
    for index in sorted(moved, key=places.__getitem__):
        before = moved[index] = max(places[index], before + least)
    return [moved[index] for index in range(len(places))]
