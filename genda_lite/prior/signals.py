"""Stopping in good order."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that is set by the first SIGINT (Ctrl-C) or SIGTERM; a second one has its usual effect.

    Outside the main thread, where signals do not arrive, the event stays unset.
    """
    event, usual = threading.Event(), {}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def stop(number, frame) -> None:
        event.set()
        restore()

    if threading.current_thread() is threading.main_thread():
        usual = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        restore()
