"""Compiled templates of dbt, kept from one call to the next.

dbt compiles the source of each macro and model to Python anew in each process: some 200 templates, a sixth of a small night's build.
Compiled code depends on the source and on the versions of Python and Jinja alone, so it is kept in the process, and beside dbt's parsed
project for the next one. `MacroFuzzEnvironment` is a private name of dbt; where it goes, templates are compiled as dbt does it.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any

from orchestration import durable

_FILE = "templates.marshal"
_MOST_KEPT = 2_000
"""Templates of a project that is worked on pile up; beyond this the file starts anew."""

_known: dict[str, CodeType] = {}
_files: dict[Path, int] = {}
"""How many templates were known when a file was last read or written."""


def keep(folder: Path) -> None:
    """Let dbt use what `folder` has, and what this process has compiled before."""
    _patch()
    if folder in _files:
        return
    path = folder / _FILE
    head, _, code = (path.read_bytes() if path.exists() else b"").partition(b"\n")
    if head == _head(code):
        _known.update(marshal.loads(code))  # noqa: S302 - written below, into the operator's own folder, whole as its hash says
    _files[folder] = len(_known) if code else 0


def save(folder: Path) -> None:
    """Write what is new for the next process."""
    if len(_known) == _files.get(folder):
        return
    if len(_known) > _MOST_KEPT:
        _known.clear()
    else:
        code = marshal.dumps(_known)
        durable.write_bytes(folder / _FILE, _head(code) + b"\n" + code)
    _files[folder] = len(_known)


def _head(code: bytes) -> bytes:
    """What compiled code depends on, and the hash of what follows."""
    versions = f"{sys.implementation.cache_tag} jinja2 {version('jinja2')} dbt-common {version('dbt-common')}"
    return f"{versions} {hashlib.sha256(code).hexdigest()}".encode()


def _patch() -> None:
    from dbt_common.clients import jinja  # noqa: PLC0415

    environment = jinja.MacroFuzzEnvironment
    original = environment.compile
    if getattr(original, "keeps", False):
        return

    def compile_once(
        self: Any, source: Any, name: Any = None, filename: Any = None, *more: Any, **options: Any
    ) -> Any:
        if not isinstance(source, str) or name is not None or filename is not None or more or options:
            return original(self, source, name, filename, *more, **options)
        key = hashlib.sha256(f"{type(self).__name__}\0{source}".encode()).hexdigest()
        if key not in _known:
            _known[key] = original(self, source)
        return _known[key]

    compile_once.keeps = True  # type: ignore[attr-defined]
    environment.compile = compile_once  # type: ignore[method-assign]
