"""Where long work says how far it is. The command line installs a listener; elsewhere the reports go nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]

_listeners: list[Listener] = []


def report(label: str, done: int, total: int) -> None:
    """Tell the listener: what is being done, and how much of how much is finished."""
    for listener in _listeners:
        listener(label, done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Install a listener for the duration of the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
