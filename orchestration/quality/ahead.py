"""The suites in a process of their own that is started before they are needed.

What belongs here: that process. Great Expectations takes as long to import as a small audit takes; while the night lands and builds on
one core, the other does that. Without `start` the suites run in the process that asks, as they do where that process is lost.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
from typing import TYPE_CHECKING, Any

from orchestration.quality.results import CheckResult, from_json, to_json

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

logger = logging.getLogger(__name__)

_waiting: list[tuple[BaseProcess, Connection]] = []


def start() -> None:
    """Start the process, unless one is waiting or this one has imported already what takes so long. It ends with this one, however this one
    ends: its pipe is closed then.
    """
    if _waiting or _is_imported():
        return
    # Spawned, not forked: a copy of this process would hold its locks and connections.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), name="suites", daemon=True)
    process.start()
    theirs.close()
    _waiting.append((process, ours))


def run_suites(**arguments: Any) -> list[CheckResult]:
    """`runner.run_suites`, in the process that waits if there is one. It serves one call; an error is raised here."""
    from orchestration.quality import runner  # noqa: PLC0415

    while _waiting:
        process, connection = _waiting.pop()
        try:
            connection.send(arguments)
            error, results = connection.recv()
        except (EOFError, OSError) as lost:
            logger.warning("the process of the suites is gone (%r): they run here", lost)
            continue
        finally:
            connection.close()
            # So that its processor time is counted as ours.
            process.join()
        if error:
            raise RuntimeError(f"the suites could not be run: {error}")
        return from_json(results)
    return runner.run_suites(**arguments)


def _is_imported() -> bool:
    return "great_expectations" in sys.modules


def _serve(connection: Connection) -> None:
    # Ctrl-C reaches every process of the terminal: this one ends with the other.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from orchestration import collector  # noqa: PLC0415

    collector.relax()
    from orchestration.quality import runner  # noqa: PLC0415

    runner.load()
    try:
        arguments = connection.recv()
    except EOFError:
        collector.leave(0)
    try:
        answer = ("", to_json(runner.run_suites(**arguments)))
    except Exception as error:  # raised in the other process
        logger.exception("the suites could not be run")
        answer = (f"{type(error).__name__}: {error}", "")
    connection.send(answer)
    connection.close()
    # Not taken apart object by object: DuckDB's bindings complain of that on standard error.
    collector.leave(0)
