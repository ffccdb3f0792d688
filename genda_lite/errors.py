"""One exception for everything a user can put right, and writing files so that none is left half-made."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what was expected."""


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block succeeds and removed when it fails.

    The suffix is kept, so that libraries that choose a format by it still do.

    Raises:
        InputError: the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written, the folder {path.parent} does not exist")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; give the result the mode any other new file would have.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike, holds: tuple[str, ...]) -> Iterator[Path]:
    """A temporary folder beside `path`, renamed to it when the block succeeds and removed when it fails.

    Args:
        holds: names of files one of which tells that an older folder of that name may be replaced.

    Raises:
        InputError: the parent folder does not exist, or something else is in the place.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written, the folder {path.parent} does not exist")
    if path.exists() and not any((path / name).is_file() for name in holds):
        raise InputError(f"{path}: is in the way and no older result, expected a free name")
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.stem}-"))
    temporary = work / path.name
    temporary.mkdir()
    try:
        yield temporary
        older = work / "older"
        if path.exists():
            path.replace(older)
        try:
            temporary.replace(path)
        except OSError:
            if older.exists():
                older.replace(path)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
