"""Telling others how a night ended: a webhook or a command of the operator's, from the settings.

What belongs here: sending the news. It never fails a night and never holds it up for longer than its limit. What does not: whether a night
failed.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from orchestration import logs

if TYPE_CHECKING:
    from orchestration.settings import Settings

_logger = logging.getLogger(__name__)
_MAX_ERROR_CHARACTERS = 1000


@dataclass(frozen=True)
class News:
    """How a night ended; what webhooks and commands get as JSON, with `event` `success` or `failure`."""

    success: bool
    run_id: str | None = None
    error: str = ""
    data_failed: bool = False
    published: bool = False
    publication_id: str | None = None
    dates_touched: int = 0
    warnings: int = 0
    seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)

    def as_json(self, settings: Settings) -> dict[str, Any]:
        """The document, without anything that is secret."""
        document = {
            "event": "success" if self.success else "failure",
            "software": "credit-usage",
            **asdict(self),
        }
        return document | {"error": without_secrets(settings, self.error)[:_MAX_ERROR_CHARACTERS] or None}


def without_secrets(settings: Settings, text: str) -> str:
    """A message without keys and the values of secret settings."""
    from orchestration.landing.privacy import masked_text  # noqa: PLC0415
    from orchestration.settings import SECRETS  # noqa: PLC0415

    for name in SECRETS:
        if value := getattr(settings, name):
            text = text.replace(value, f"[{name}]")
    return masked_text(text)


def tell(settings: Settings, news: News) -> None:
    """Send the news to whoever the settings name for it. What goes wrong is logged, and nothing else happens."""
    kind = "success" if news.success else "failure"
    body = json.dumps(news.as_json(settings), ensure_ascii=False).encode()
    for what, target, send in (
        ("webhook", getattr(settings, f"on_{kind}_webhook"), _post),
        ("command", getattr(settings, f"on_{kind}_command"), _run),
    ):
        if not target:
            continue
        try:
            send(target, body, settings.hook_timeout_seconds)
        except Exception as error:  # whatever it is: the night has ended, and how is known
            told = without_secrets(settings, f"{type(error).__name__}: {error}")
            logs.log(
                _logger, logging.WARNING, "hook", f"the {what} for {kind} could not be reached: {told}", hook=f"on_{kind}_{what}"
            )  # fmt: skip
        else:
            logs.log(
                _logger, logging.INFO, "hook", f"{kind} was told to the {what}", hook=f"on_{kind}_{what}"
            )


def _post(url: str, body: bytes, timeout_seconds: float) -> None:
    """Send the news. A redirection is an error: it goes where the settings say, and nowhere else."""
    import urllib.request  # noqa: PLC0415 - a network library that `--help` should not pay for

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    # The settings allow http and https alone.
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    with urllib.request.build_opener(NoRedirect).open(request, timeout=timeout_seconds) as response:
        response.read(1)


def _run(command: str, body: bytes, timeout_seconds: float) -> None:
    """Run the command with the news on its standard input; no shell. At its limit it is killed with all that it started."""
    with subprocess.Popen(  # noqa: S603 - it is the operator's own
        shlex.split(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            process.communicate(body, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise TimeoutError(f"it took more than {timeout_seconds:g} seconds") from None
        if process.returncode:
            raise RuntimeError(f"it ended with code {process.returncode}")
