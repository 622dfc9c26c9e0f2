"""How others hear of a night: log lines, webhooks and commands, and what becomes of the night when these misbehave."""

from __future__ import annotations

import http.server
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration import hooks, logs, progress
from orchestration.hooks import News
from orchestration.settings import Settings, SettingsError, load

KEY = "sk-proj-Zq81LmXw03RtYv55KbNd"
SALT = "a salt nobody may see"
BAD = News(success=False, run_id="r1", error=f"denied: {KEY} {SALT}", rows={"rows_read": 3}, seconds=1.5)


class Listener:
    """A web server of this machine that keeps what it is sent."""

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        bodies: list[dict[str, Any]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.bodies = bodies
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/secret-token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.server.shutdown()


def test_a_failure_is_told_to_webhook_and_command(
    tmp_path: Path, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody hears that a night failed; or what they hear holds a secret."""
    heard = tmp_path / "heard.json"
    command = f"{sys.executable} -c \"import sys; open(sys.argv[1], 'w').write(sys.stdin.read())\" '{heard}'"
    settings = Settings(
        on_failure_webhook=listener.url, on_failure_command=command, on_success_command="false", user_id_salt=SALT
    )  # fmt: skip
    with logs.written("json"):
        hooks.tell(settings, BAD)
    (body,) = listener.bodies
    assert body == json.loads(heard.read_text())
    assert body == {
        "event": "failure",
        "software": "credit-usage",
        "success": False,
        "run_id": "r1",
        "error": "denied: sk-...KbNd [user_id_salt]",
        "data_failed": False,
        "published": False,
        "publication_id": None,
        "dates_touched": 0,
        "warnings": 0,
        "seconds": 1.5,
        "rows": {"rows_read": 3},
    }
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["hook"], line["level"]) for line in lines] == [
        ("hook", "on_failure_webhook", "info"),
        ("hook", "on_failure_command", "info"),
    ]


def test_without_settings_nothing_is_sent(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night without hooks opens a connection, or a success is told to who asked for failures."""
    monkeypatch.setattr(hooks, "_post", lambda *_: pytest.fail("something is sent"))
    monkeypatch.setattr(hooks, "_run", lambda *_: pytest.fail("something is run"))
    hooks.tell(Settings(), BAD)
    hooks.tell(Settings(on_failure_webhook=listener.url, on_failure_command="true"), News(success=True))


def test_hooks_that_misbehave_harm_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A webhook that is down, one that sends us elsewhere, or a command that hangs or fails ends the night with an error; a secret URL is
    told in the log.
    """
    elsewhere = Listener()
    sends_on = Listener(307, {"Location": elsewhere.url})
    pid = tmp_path / "pid"
    hangs = f"{sys.executable} -c \"import os, time; open('{pid}', 'w').write(str(os.getpid())); time.sleep(600)\""
    cases = [
        {"on_failure_webhook": "http://127.0.0.1:9/secret-token"},
        {"on_failure_webhook": sends_on.url},
        {"on_failure_command": "/no/such/command"},
        {"on_failure_command": "false"},
        {"on_failure_command": hangs, "hook_timeout_seconds": 2.0},
    ]
    with logs.written("text"):
        for case in cases:
            hooks.tell(Settings(**case), BAD)
    told = capsys.readouterr().err
    assert told.count("warning: the ") == len(cases)
    assert "ended with code 1" in told
    assert "took more than 2 seconds" in told
    assert "secret-token" not in told
    assert elsewhere.bodies == [], "a redirection decides where the news goes"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    for server in (elsewhere, sends_on):
        server.server.shutdown()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("on_failure_webhook", "file:///etc/passwd", "must be a URL with http or https"),
        ("on_success_webhook", "hooks.example.com/T0/secret-token", "must be a URL with http or https"),
        ("user_id_salt", "short-secret", "must have at least 16 characters"),
        ("on_failure_command", "mail 'ops", "is no command"),
        ("log_format", "xml", "must be one of text, json"),
        ("hook_timeout_seconds", "0", "must be more than 0"),
    ],
)
def test_wrong_settings_are_told_and_secrets_not(name: str, value: str, words: str) -> None:
    """A typing error in a secret prints it."""
    with pytest.raises(SettingsError) as caught:
        load({f"CREDIT_USAGE_{name.upper()}": value, "CREDIT_USAGE_CONFIG": ""})
    assert words in str(caught.value)
    assert f"CREDIT_USAGE_{name.upper()}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_in_the_text_of_settings() -> None:
    """Whoever prints the settings prints the salt."""
    settings = Settings(user_id_salt=SALT, on_failure_webhook="https://example.com/secret-token")
    assert SALT not in repr(settings)
    assert "secret-token" not in repr(settings)


def test_a_stage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The log lacks the counts or seconds of a stage, a failed stage looks well, or a line is not one JSON object."""
    with logs.written("json"):
        with progress.stage("land") as counts:
            counts["rows_read"] = 1204
        with pytest.raises(ZeroDivisionError), progress.stage("build"):
            1 / 0  # noqa: B018
    land, build = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (land["event"], land["stage"], land["status"], land["rows_read"], land["level"]) == (
        "stage", "land", "ok", 1204, "info",
    )  # fmt: skip
    assert land["seconds"] >= 0
    assert land["at"].endswith("Z")
    assert (build["stage"], build["status"], build["level"]) == ("build", "failed", "error")
    with logs.written("text"), progress.stage("land") as counts:
        counts["rows_read"] = 1204
    assert " land took 0.0 s: rows read 1,204\n" in capsys.readouterr().err
    with logs.written("text", quiet=True), progress.stage("land"):
        pass
    assert capsys.readouterr().err == "", "JSON output has words beside it"


def test_a_slow_webhook_is_left() -> None:
    """A webhook that never answers holds the night up."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        started = time.monotonic()
        hooks.tell(Settings(on_failure_webhook=url, hook_timeout_seconds=0.2), BAD)
        assert time.monotonic() - started < 60
