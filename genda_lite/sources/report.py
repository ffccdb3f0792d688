"""What a reader found in its files, what it left out, and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import xarray as xr

from ..errors import InputError


@dataclass(frozen=True)
class Report:
    """Counts of one reading; `print` it, or find it again in what was read by `Report.of`.

    Args:
        source: the file, or the first of several. what: what was counted, such as "points".
        read: how many there were. dropped: reason -> how many were left out for it; each is counted once.
    """

    source: str
    what: str
    read: int
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """How many came through."""
        return self.read - sum(self.dropped.values())

    def __str__(self) -> str:
        told = f"{self.source}: {self.kept:,} of {self.read:,} {self.what} kept"
        return told + (f"; left out: {self.reasons()}" if self.dropped else "")

    def reasons(self) -> str:
        """What was left out, in words."""
        return ", ".join(f"{count:,} {why}" for why, count in self.dropped.items())

    def attributes(self) -> dict[str, object]:
        """The counts as attributes of a data set, which a NetCDF file can hold."""
        dropped = "; ".join(f"{count} {why}" for why, count in self.dropped.items())
        return {"report": f"{self.read} {self.what}" + (f"; {dropped}" if dropped else "")}

    @classmethod
    def of(cls, ds: xr.Dataset) -> Self | None:
        """The report that a reader left in the attributes of its result; None if there is none."""
        if "report" not in ds.attrs:
            return None
        (read, what), *dropped = (part.split(" ", 1) for part in str(ds.attrs["report"]).split("; "))
        return cls(str(ds.attrs.get("source", "")), what, int(read), {why: int(count) for count, why in dropped})

    @classmethod
    def total(cls, reports: Iterable[Self], source: str) -> Self:
        """The sum of reports on the same kind of thing."""
        reports = list(reports)
        dropped = sum((Counter(report.dropped) for report in reports), Counter())
        what = reports[0].what if reports else "values"
        return cls(source, what, sum(report.read for report in reports), dict(dropped))


class NothingValid(InputError):
    """A product can be read, but holds no valid value; `report` counts why."""

    def __init__(self, message: str, report: Report):
        super().__init__(message)
        self.report = report


class Tally:
    """Marks what to drop, reason by reason; what has been dropped for one reason counts for no other.

    Attributes:
        keep: what is left, bool of the shape given.
    """

    def __init__(self, shape):
        self.keep, self.dropped = np.ones(shape, bool), Counter()

    def drop(self, bad: np.ndarray, why: str) -> None:
        """Drop what is bad and still there."""
        bad = np.broadcast_to(np.asarray(bad, bool), self.keep.shape) & self.keep
        if bad.any():
            self.dropped[why] += int(bad.sum())
            self.keep &= ~bad

    def report(self, source: str, what: str) -> Report:
        """The counts so far."""
        return Report(source, what, self.keep.size, dict(self.dropped))
