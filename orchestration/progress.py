"""Where long work says how far it is, and what each stage of a night cost.

The command line listens and collects; elsewhere progress goes nowhere, the cost of a stage to the log.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestration import logs

Listener = Callable[[str, int, int], None]

_listeners: list[Listener] = []
_stage_lists: list[list[Stage]] = []
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """What one finished stage cost. `peak_memory_bytes` is the process's highest resident memory so far; `cpu_seconds` are also those of
    processes that ended in it.
    """

    name: str
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    #: What was counted: rows, files, dates.
    counts: Mapping[str, int] = field(default_factory=dict)
    failed: bool = False


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


@contextmanager
def stage(name: str) -> Iterator[dict[str, int]]:
    """Measure the block as one stage; it fills the counts. Its cost goes to `stages` and to the log, also when it fails."""
    started, cpu_started = time.perf_counter(), _cpu_seconds()
    counts: dict[str, int] = {}
    failed = True
    try:
        yield counts
        failed = False
    finally:
        finished = Stage(
            name,
            time.perf_counter() - started,
            _cpu_seconds() - cpu_started,
            _peak_memory_bytes(),
            counts,
            failed,
        )
        for collected in _stage_lists:
            collected.append(finished)
        _log(finished)


def _log(finished: Stage) -> None:
    told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in finished.counts.items())
    logs.log(
        _logger,
        logging.ERROR if finished.failed else logging.INFO,
        "stage",
        f"{finished.name} {'failed after' if finished.failed else 'took'} {finished.seconds:.1f} s"
        + (f": {told}" if told else ""),
        stage=finished.name,
        status="failed" if finished.failed else "ok",
        seconds=round(finished.seconds, 3),
        cpu_seconds=round(finished.cpu_seconds, 3),
        peak_memory_bytes=finished.peak_memory_bytes,
        **finished.counts,
    )


@contextmanager
def stages() -> Iterator[list[Stage]]:
    """A list that receives every stage that ends within the block, in order of ending."""
    collected: list[Stage] = []
    _stage_lists.append(collected)
    try:
        yield collected
    finally:
        # By identity: lists compare by content, and two empty ones would be taken for each other.
        _stage_lists[:] = [item for item in _stage_lists if item is not collected]


def _cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
