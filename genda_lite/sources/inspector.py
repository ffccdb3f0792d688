"""A look at a NetCDF-4 file from a process of its own: from some damaged files the HDF5 library never comes back, and
some it does not survive.

`inspect` starts this very file as a program, once, and asks it about one file after the other. The program goes through
all that opening a file needs and says after each step that it lives. It imports h5netcdf and nothing of this package.
"""

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
import time

try:
    import resource
except ImportError:  # not on Windows
    resource = None

PATIENCE = 60.0  # s without a sign of life; much, for the machine may be busy
WORK = 1  # s of a processor without a sign of life, after which the system ends the process
LOST = {"silent": "the HDF5 library does not come back from it", "died": "the HDF5 library cannot cope with it"}


def look(path: str) -> None:
    """Walk through groups, attributes, strings and lists of chunks; what cannot be opened raises, and so do values that
    lie in other files: whoever makes a file could name any of this machine."""
    import h5netcdf
    import h5py

    def walk(group, above: tuple = ()) -> None:
        dict(group.attrs)
        here = h5py.h5o.get_info(group._h5group.id).addr
        if here in above:
            raise ValueError(f"its group {group.name} holds itself")
        links = [group._h5group.get(name, getlink=True) for name in group._h5group]
        elsewhere = any(isinstance(link, h5py.ExternalLink) for link in links)
        for variable in group.variables.values() if not elsewhere else ():
            stored = variable._h5ds
            try:
                elsewhere |= bool(stored.external or stored.is_virtual)
                tuple(variable.dimensions), variable.dtype, dict(variable.attrs)
                if stored.chunks:
                    stored.id.get_num_chunks()
                if h5py.check_string_dtype(stored.dtype) and stored.size < 1_000_000:
                    stored[()]
            except Exception:
                pass  # this variable alone is lost, as the reader will find
            say("alive")
        if elsewhere:
            raise ValueError("it takes values from other files, which is not done")
        for child in group.groups.values():
            walk(child, (*above, here))

    with h5netcdf.File(path, "r", phony_dims="access", decode_vlen_strings=True) as file:
        walk(file)


def say(what: str) -> None:
    """A line to whoever asked, and a new stretch of work."""
    if resource is not None:
        limit = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + WORK + 1, limit))
    print(json.dumps(what), flush=True)


def serve() -> None:
    """Look at each path that comes in, until no more do."""
    for line in sys.stdin:
        say("alive")
        try:
            look(json.loads(line))
            say("whole")
        except ImportError:
            say("whole")  # nothing can be said of it
        except Exception as error:
            say(" ".join(str(error).split()) or type(error).__name__)


class Inspector:
    """The process and the lines it says."""

    def __init__(self):
        command = [sys.executable, "-P", "-W", "ignore", __file__]
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.owner, self.process = os.getpid(), subprocess.Popen(command, **options)
        self.said = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self.end)

    def _listen(self) -> None:
        for line in self.process.stdout:
            self.said.put(json.loads(line))
        self.said.put("died")

    def next(self) -> str:
        """What it says next, "silent" if nothing comes."""
        try:
            return self.said.get(timeout=PATIENCE)
        except queue.Empty:
            return "silent"

    def ask(self, path: str) -> str:
        """Its verdict on a file: "whole", one of `LOST`, or what is wrong with it."""
        self.process.stdin.write(json.dumps(os.path.abspath(path)) + "\n")
        self.process.stdin.flush()
        while (verdict := self.next()) == "alive":
            pass
        if verdict in LOST:
            self.end()
        return verdict

    def end(self) -> None:
        """Stop it, whatever it is at."""
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()


_LOCK, _SEEN = threading.Lock(), {}
_inspector: Inspector | None = None


def inspect(path: str | os.PathLike) -> str:
    """The verdict on a file, remembered as long as the file stays as it is; "whole" where no process can be started."""
    global _inspector
    state = os.stat(path)
    key = os.path.abspath(path), state.st_size, state.st_mtime_ns
    with _LOCK:
        if _SEEN.get(key, "silent") in LOST:  # a busy machine may be better later
            try:
                if _inspector is None or _inspector.owner != os.getpid() or _inspector.process.poll() is not None:
                    _inspector = Inspector()
                _SEEN[key] = _inspector.ask(str(path))
            except OSError:
                _SEEN[key] = "whole"
        return LOST.get(_SEEN[key], _SEEN[key])


if __name__ == "__main__":
    serve()
