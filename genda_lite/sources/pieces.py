"""What downloads are made of: a stretch of a data set that is fetched at once, and the clients that fetch it."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..errors import InputError
from .catalogue import Subset


class Piece(NamedTuple):
    """A month, or a year, of a data set, fetched at once.

    Args:
        name: in the table. subset: what to fetch. begin, until: first and last day.
        path: the file or folder it becomes.
    """

    name: str
    subset: Subset
    begin: pd.Timestamp
    until: pd.Timestamp
    path: Path

    @property
    def is_there(self) -> bool:
        """Whether it has been fetched: pieces come into being whole."""
        return self.path.exists()

    @property
    def days(self) -> int:
        """How many days it covers."""
        return (self.until - self.begin).days + 1


class NothingThere(Exception):
    """The service has nothing of a piece."""


def client(name: str):
    """A client, imported when it is needed.

    Raises:
        InputError: it is not installed.
    """
    try:
        return __import__(name, fromlist=["*"])
    except ImportError:
        package = name.split(".")[0]
        raise InputError(f"downloading needs the package {package}: `pip install genda_lite[data]`") from None
