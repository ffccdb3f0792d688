"""Live figures: one idea each, moved by hand, in the reader's own browser.

Each function prepares the numbers of a figure and gives a `Figure`, which shows itself in a notebook and on a page. Its
program is `figure/NAME.js`, on the kit that all of them share (`figure.js`). Functions there have the names of those
in Python whose mathematics they repeat. A page needs no kernel, and asks no other host for anything.
"""

import json
from typing import Any

from .assets import script

NO_SCRIPT = "<noscript>This figure is moved by hand, which needs JavaScript.</noscript>"


class Figure:
    """A live figure, finished.

    Args:
        name: of its program in `figure/`.
        title: stands above it, and names it to screen readers.
        data: what the program is to know, as JSON can hold it.
    """

    def __init__(self, name: str, title: str, **data: Any):
        self.name, self.data = name, {"title": title} | data

    def _repr_html_(self) -> str:
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")
        # The class is the explorer's: the book's style sheet takes the light sheet away from under it in the dark.
        return (
            f'<div data-genda-figure="{self.name}" data-state="waiting" class="genda-explorer">'
            f'<script type="application/json">{data}</script>{NO_SCRIPT}</div>'
            f"<script>{script(f'figure/{self.name}')}</script>"
        )


def interpolation(s: float, length: float) -> Figure:
    """Optimal interpolation of three observations on a line: drag them, their errors, the place, the length scale.

    Args:
        s: standard deviation of the anomaly (m). length: where its covariance falls to nearly zero (km).
    """
    return Figure(
        "interpolation", "Optimal interpolation, moved by hand", s=s, length=length,
        at=[120.0, 260.0, 480.0], values=[0.6 * s, 1.2 * s, -0.8 * s], errors=[0.2 * s, 0.3 * s, 0.2 * s], target=340.0,
    )  # fmt: skip
