"""Every page in both themes before axe-core: no serious finding. Skipped, with the reason, where axe-core cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports import writer
from tests.browser import axe
from tests.browser.reader import Reader
from tests.reports_fixture import HOSTILE, RUN_WITH_CHILDREN

pytestmark = [pytest.mark.browser]

STATES: dict[str, tuple[str, str]] = {
    "index.html": ("h1", ""),
    "acme/analytics.html": ("html.scripted", ""),
    "acme/analytics.html#by=model&only=charge_type~%3Dhosted": ("html[data-explore]", ""),
    "acme/prompts.html": ("html[data-log=ready]", "#columns summary"),
    "acme/workflows.html#status=%3Dfailed": ("html[data-log=ready]", "#csv summary"),
    f"acme/agents.html#run={RUN_WITH_CHILDREN}": (
        "#sheet[open] .w-row",
        f".w-row[data-span='{RUN_WITH_CHILDREN}.1']",
    ),
    "acme/users.html": ("html[data-range]", ""),
    "acme/users.html#user=user-12": ("html[data-runs=ready]", ""),
    "acme/quality.html": ("h1", "details summary"),
    f"{writer.slug(HOSTILE)}/prompts.html": ("html[data-log=ready]", ""),
}
"""Page → what to wait for, and what to click before it is checked."""
CHECK = """async rules => {
    // what is out of sight is not laid out, and axe passes over it
    document.querySelectorAll('.panel').forEach(panel => { panel.style.contentVisibility = 'visible'; });
    const options = { resultTypes: ['violations'], preload: false };
    if (rules) { options.runOnly = rules; }
    const found = (await axe.run(document, options)).violations.filter(v => v.impact === 'serious' || v.impact === 'critical');
    const told = node => node.html.slice(0, 160) + ' ' + (node.any[0] ? node.any[0].message : '');
    return found.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(told).join(' | ')); }"""
RULES = {"light": None, "dark": ["color-contrast", "link-in-text-block"]}
"""All rules in one theme; in the other those that look at colours."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_finding(browser: Any, site: Path, theme: str) -> None:
    """A page cannot be read or worked by somebody: contrast, names, roles, keyboard."""
    try:
        script = axe.source()
    except axe.AxeMissingError as error:
        pytest.skip(str(error))
    held = Reader(browser, site, color_scheme=theme)
    findings = {}
    for path, (ready, click) in STATES.items():
        page = held.open(path)
        page.wait_for_selector(ready, state="attached")
        if click:
            page.locator(click).first.click()
        page.evaluate(script)
        if found := page.evaluate(CHECK, RULES[theme]):
            findings[path] = found
    held.context.close()
    assert not findings, "\n".join(f"{path}: {text}" for path, found in findings.items() for text in found)
    assert not held.problems, held.problems
