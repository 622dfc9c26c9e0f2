"""What we depend on: pinned by hash, within bounds, under licences that nobody has to ask a lawyer about.

Known vulnerabilities are not looked up here: advisories are on the network, and tests run without one.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestration.settings import REPOSITORY

FREE = re.compile(
    r"\b(MIT|MIT-0|BSD|0BSD|Apache|ISC|MPL|Mozilla|PSF|Python Software Foundation|Zlib|CC0|Unlicense|CNRI)", re.IGNORECASE
)  # fmt: skip
SHARE_ALIKE = re.compile(
    r"\b(A?GPL|General Public|SSPL|BUSL|Business Source|Elastic|Commons Clause)", re.IGNORECASE
)
EXCEPTIONS = {
    "text-unidecode": "also under the Artistic License; dbt brings it, and nothing of ours calls it"
}
"""Packages with a share-alike licence among others, and why that is good."""


def locked() -> dict[str, tuple[str, str]]:
    """Name → version and the rest of its entry in the lock file."""
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    entries = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)((?:.*\\\n)+.*)", text, re.MULTILINE)
    return {canonicalize_name(name): (version, rest) for name, version, rest in entries}


def licence(found: Distribution) -> str:
    """What a package says of its licence: the expression, else its classifiers, else the first line of the text."""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [item for item in metadata.get_all("Classifier") or [] if item.startswith("License ::")]
    return "; ".join(classifiers) or str(metadata.get("License") or "").split("\n")[0]


def test_everything_that_is_installed_is_pinned_by_hash() -> None:
    """A package can be replaced on its way, or comes from somewhere that the lock file names."""
    entries = locked()
    assert len(entries) > 100
    bare = [name for name, (_, rest) in entries.items() if "--hash=sha256:" not in rest]
    assert bare == []
    assert "://" not in (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")


def test_our_dependencies_are_bounded_and_locked_within() -> None:
    """The next major release of something breaks an installation; or the lock file has what pyproject.toml rules out."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = locked()
    for text in project["dependencies"]:
        wanted = Requirement(text)
        operators = {item.operator for item in wanted.specifier}
        dated = wanted.name == "tzdata"  # data: the newest is the right one
        assert ">=" in operators, f"{text} has no lower bound"
        assert dated or operators & {"<", "=="}, f"{text} has no upper bound"
        assert entries[canonicalize_name(wanted.name)][0] in wanted.specifier, (
            f"{text} is locked outside of its bounds"
        )


def test_licences_are_free() -> None:
    """A package arrives under a licence that binds whoever passes the software on."""
    installed = {canonicalize_name(found.metadata["Name"]): licence(found) for found in distributions()}
    of_lock = {name: told for name, told in installed.items() if name in locked()}
    assert len(of_lock) > 100, "the environment is not that of the lock file"
    doubtful = {
        name: told
        for name, told in of_lock.items()
        if name not in EXCEPTIONS and (SHARE_ALIKE.search(told) or not FREE.search(told))
    }
    assert doubtful == {}
