"""The servers that we start can be reached from this machine alone."""

from __future__ import annotations

import http.client
import re
from pathlib import Path
from threading import Thread

from orchestration.settings import REPOSITORY
from reports.serve import server


def test_the_site_is_served_to_this_machine(tmp_path: Path) -> None:
    """Everybody in the network can read the pages, by address or by a name that leads here; or files beside the site."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("the site", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("hunter2", encoding="utf-8")
    with server(site, 0) as listening:
        host, port = str(listening.server_address[0]), listening.server_address[1]
        assert host == "127.0.0.1"
        Thread(target=listening.serve_forever, daemon=True).start()

        def asked(path: str, name: str = "localhost") -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(host, port, timeout=30)
            connection.putrequest("GET", path, skip_host=True)
            connection.putheader("Host", name)
            connection.endheaders()
            answer = connection.getresponse()
            found = answer.status, answer.read()
            connection.close()
            return found

        assert asked("/index.html") == (200, b"the site")
        assert asked("/index.html", "rebound.example")[0] == 421
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "//../secret.txt"):
            status, body = asked(path)
            assert (status, b"hunter2" in body) == (404, False), f"{path} leads out of the site"
        listening.shutdown()


def test_dagsters_ui_is_offered_to_this_machine() -> None:
    """`make ui` shows runs and settings to the network."""
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    started = re.findall(
        r"dagster(?: dev|-webserver)[^\n]*", re.sub(r"^\s*#.*$|^.*@echo.*$", "", text, flags=re.MULTILINE)
    )
    assert started
    assert [line for line in started if "--host 127.0.0.1" not in line] == []
