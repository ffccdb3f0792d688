"""What a reader found in its files, what it left out, and why."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import xarray as xr

from ..errors import InputError

PLACELESS = "without a position"
KEPT = "kept "  # before what is only noted, in attributes


@dataclass(frozen=True)
class Report:
    """Counts of one reading; `print` it, or find it again in what was read by `Report.of`.

    Args:
        source: the file, or the first of several. what: what was counted, such as "points".
        read: how many there were. dropped: reason -> how many were left out for it; each is counted once.
        noted: what is peculiar about some that were kept -> how many they are.
    """

    source: str
    what: str
    read: int
    dropped: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """How many came through."""
        return self.read - sum(self.dropped.values())

    def __str__(self) -> str:
        told = f"{self.source}: {self.kept:,} of {self.read:,} {self.what} kept"
        told += f"; left out: {self.reasons()}" if self.dropped else ""
        return told + (f"; of those kept {_counted(self.noted, ', ')}" if self.noted else "")

    def reasons(self) -> str:
        """What was left out, in words."""
        return _counted(self.dropped, ", ")

    def expect_some(self, otherwise: str, box: tuple | None = None, hint: str = "") -> None:
        """Say what is lacking where nothing was kept.

        Raises:
            NothingValid: nothing was, `otherwise`, with the reasons.
        """
        if not self.kept:
            inside = f" in the box {box}" if box else ""
            raise NothingValid(f"{otherwise}{inside} ({self.reasons() or 'there is none'}){hint}", self)

    def attributes(self) -> dict[str, object]:
        """The counts as attributes of a data set, which a NetCDF file can hold."""
        parts = [f"{self.read} {self.what}", *(f"{count} {why}" for why, count in self.dropped.items())]
        return {"report": "; ".join([*parts, *(f"{KEPT}{count} {why}" for why, count in self.noted.items())])}

    @classmethod
    def of(cls, ds: xr.Dataset) -> Self | None:
        """The report that a reader left in the attributes of its result; None if there is none."""
        if "report" not in ds.attrs:
            return None
        parts = str(ds.attrs["report"]).split("; ")
        dropped, noted = (
            {why: int(count) for count, why in (p.removeprefix(KEPT).split(" ", 1) for p in parts[1:] if kept(p))}
            for kept in (lambda p: not p.startswith(KEPT), lambda p: p.startswith(KEPT))
        )
        read, what = parts[0].split(" ", 1)
        return cls(str(ds.attrs.get("source", "")), what, int(read), dropped, noted)

    @classmethod
    def total(cls, reports: Iterable[Self], source: str) -> Self:
        """The sum of reports on the same kind of thing."""
        reports = list(reports)
        dropped, noted = (
            dict(sum((Counter(counts(report)) for report in reports), Counter()))
            for counts in (lambda report: report.dropped, lambda report: report.noted)
        )
        what = reports[0].what if reports else "values"
        return cls(source, what, sum(report.read for report in reports), dropped, noted)


class NothingValid(InputError):
    """A product can be read, but holds no valid value; `report` counts why."""

    def __init__(self, message: str, report: Report):
        super().__init__(message)
        self.report = report

    def __reduce__(self):
        return type(self), (str(self), self.report)  # dask's workers send it


def _counted(counts: dict[str, int], between: str) -> str:
    return between.join(f"{count:,} {what}" for what, count in counts.items())


class Tally:
    """Marks what to drop, reason by reason; what has been dropped for one reason counts for no other.

    Attributes:
        keep: where there is what is left, bool.
    """

    def __init__(self, among, gone: dict[str, int] | None = None):
        """Args:
        among: the shape of what is counted, or where in an array it is. gone: what was left out before, and why.
        """
        self.keep = among.copy() if isinstance(among, np.ndarray) else np.ones(among, bool)
        self.dropped, self.odd = Counter(gone or {}), []
        self.read = int(self.keep.sum()) + self.dropped.total()

    def drop(self, bad: np.ndarray, why: str) -> None:
        """Drop what is bad and still there."""
        bad = np.asarray(bad, bool) & self.keep
        self.dropped[why] += int(bad.sum())
        self.keep &= ~bad

    def sound(self, values: np.ndarray, limits: tuple[float, float], *places: np.ndarray) -> None:
        """Drop values that are missing or not plausible, and those without a place."""
        self.drop(np.isnan(values), "without a value")
        self.drop(~((values >= limits[0]) & (values <= limits[1])), "with an implausible value")
        self.drop(~np.isfinite(sum(places)), PLACELESS)

    def flagged(self, flag: np.ndarray, good: Callable, why: str, name: str) -> None:
        """Drop what a flag does not call good; where the flag is missing nothing is known, and it is noted."""
        known = ~np.isnan(flag.astype(float))
        self.drop(known & ~good(flag), why)
        self.odd.append((~known, f"without '{name}'"))

    def report(self, source: str, what: str) -> Report:
        """The counts so far."""
        noted = {what: int((odd & self.keep).sum()) for odd, what in self.odd}
        counts = ({why: n for why, n in found.items() if n} for found in (self.dropped, noted))
        return Report(source, what, self.read, *counts)
