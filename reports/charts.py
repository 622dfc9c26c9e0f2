"""The drawing of charts: stacked bars by day, and plain bars. The only Python module that knows how a chart
looks.

What belongs here: geometry, in whole numbers so that `static/charts.js` draws the very same picture. What
does not: what is charted. A later version may draw with another library behind the same two types: `Series`
in, `Chart` out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SLOT = 100
"""Width of one bar's place; the drawing is stretched to the page's width, so only ratios matter."""
HEIGHT = 1_000
AXIS_LABELS = 5
EACH_BAR_NAMED = 10
"""Up to so many bars each has its label below it."""
_NICE_TENTHS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)


@dataclass(frozen=True)
class Series:
    """One stacked part: its name, its colour class and one whole number per bar."""

    name: str
    tone: str
    values: Sequence[int]


@dataclass(frozen=True)
class Rect:
    """A bar, in drawing units."""

    x: int
    y: int
    width: int
    height: int
    tone: str
    part: int | None = None
    """Number of the series that it belongs to."""


@dataclass(frozen=True)
class Bar:
    """One place on the horizontal axis: its bars, and the text a pointer shows."""

    x: int
    title: str
    rects: tuple[Rect, ...]
    is_provisional: bool = False


@dataclass(frozen=True)
class Chart:
    """A drawn chart; `is_empty` when there is nothing above zero to draw."""

    width: int
    bars: tuple[Bar, ...]
    ticks: tuple[str, ...]
    labels: tuple[str, ...]
    is_empty: bool
    is_each_named: bool = False
    """Whether there is a label below each bar, rather than labels spread along the axis."""


def nice_top(value: int) -> int:
    """The smallest round figure (1, 1.2, 1.5, 2, … 8 times a power of ten) not below the value."""
    if value <= 0:
        return 1
    base: int = 10 ** (len(str(value)) - 1)
    return next(top for top in (base * tenths // 10 for tenths in _NICE_TENTHS) if top >= value)


def axis_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """At most five of the labels, the first and the last among them, evenly spread."""
    if len(labels) <= AXIS_LABELS:
        return tuple(labels)
    steps = AXIS_LABELS - 1
    return tuple(labels[(k * (len(labels) - 1)) // steps] for k in range(AXIS_LABELS))


def stacked_bars(
    labels: Sequence[str],
    titles: Sequence[str],
    series: Sequence[Series],
    tick: Callable[[int], str],
    before: Sequence[int] | None = None,
    *,
    every_label: bool = False,
    provisional: int | None = None,
) -> Chart:
    """One stacked bar per label; with `before`, a narrow bar of the earlier period stands left of each. Days need
    not all be labelled; where bars are not evenly spaced values, `every_label` names each. `provisional` is the
    place of a bar that may still grow.
    """
    totals = [sum(part.values[i] for part in series) for i in range(len(labels))]
    highest = max([*totals, *(before or ()), 0])
    each = every_label or len(labels) <= EACH_BAR_NAMED
    top = nice_top(highest)
    bars = []
    for i in range(len(labels)):
        left = i * SLOT
        rects = []
        if before is not None:
            height = max(before[i], 0) * HEIGHT // top
            rects.append(Rect(left + 12, HEIGHT - height, 22, height, "before"))
        x, width = (left + 38, 50) if before is not None else (left + 12, 76)
        level = 0
        for number, part in enumerate(series):
            start = level * HEIGHT // top
            level += max(part.values[i], 0)
            end = level * HEIGHT // top
            rects.append(Rect(x, HEIGHT - end, width, end - start, part.tone, number))
        bars.append(Bar(left, titles[i], tuple(rects), i == provisional))
    return Chart(
        width=max(len(labels), 1) * SLOT,
        bars=tuple(bars),
        ticks=(tick(top), tick(top // 2), tick(0)) if top > 1 else (tick(top), tick(0)),
        labels=tuple(labels) if each else axis_labels(labels),
        is_empty=highest <= 0,
        is_each_named=each,
    )


SPARK_WIDTH, SPARK_HEIGHT = 1_000, 100


def sparkline(values: Sequence[int]) -> str:
    """Points of a polyline through the values, oldest first, from 0 to the highest of them; empty where there is
    no trend to see.
    """
    highest = max(values, default=0)
    if len(values) < 2 or highest <= 0:  # noqa: PLR2004  (one point is no line)
        return ""
    last = len(values) - 1
    return " ".join(
        f"{i * SPARK_WIDTH // last},{SPARK_HEIGHT - max(value, 0) * SPARK_HEIGHT // highest}"
        for i, value in enumerate(values)
    )
