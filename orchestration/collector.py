"""Python's cyclic garbage collector in a short-lived command.

Importing Dagster, dbt and Great Expectations makes a great many objects that live until the end. The default
collector walks them again and again while they are made, and once more at exit: together two of the five
seconds of a night with nothing new.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import NoReturn


def relax() -> None:
    """Collect rarely in this process. Memory that is not in a cycle is freed as ever."""
    gc.set_threshold(100_000, 50, 100)


def leave(code: int) -> NoReturn:
    """End this process without taking its objects apart one by one. What is registered for exit happens."""
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 120  # as Python itself says that nobody reads on
    os._exit(code)
