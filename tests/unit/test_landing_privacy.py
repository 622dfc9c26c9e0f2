"""What rows lose on their way into the lake: keys in every format, and, where user ids are hashed, what tells the person."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing import privacy
from tests.landing_helpers import RUNS, SPANS, Night, csv_bytes, jsonl, run, span, text_parquet
from tests.traces import traces

SALT = "a salt of the tests"
KEY = "sk-ant-api03-" + "Zq81LmXw03Rt" * 3
USER, E_MAIL = "anna-4711", "anna@example.com"


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


@pytest.fixture
def hashing(tmp_path: Path) -> Night:
    return Night(tmp_path, user_id_salt=SALT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (KEY, "sk-...03Rt"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA...MPLE"),
        ("Bearer abcdefghij1klmnopqrstuv", "Bearer [token]"),
        ("hf_abcdefghijklmnopqrstuvwxyzABCD1234", "hf_...1234"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_...6789"),
        ("aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW", "aB3...U1vW"),
        ("0123456789abcdef0123456789abcdef", "012...cdef"),
        # Names as people give them.
        ("production-eu-west-1-checkout-service-2", None),
        ("sk-learn-pipeline-v2-production", None),
        ("xai-grok-4-fast-reasoning", None),
        ("hf_transformers_pipeline_2", None),
        ("basic authentication", None),
        ("ASIA-PACIFIC-REGION", None),
        ("sk-...wxyz", None),
        ("key of the summer campaign 2026", None),
    ],
)
def test_names_of_keys_are_no_keys(night: Night, text: str, shown: str | None) -> None:
    """A key that somebody exports as its own name is on every page, or a name that looks a little like one is lost."""
    night.land(run(api_key_name=text))
    row = night.one(RUNS)
    assert (row["api_key_name"], row["quality_flags"]) == (shown or text, shown and "masked_key")


@pytest.mark.parametrize(
    "api_key_id",
    [
        "key_0123456789abcdef0123456789abcdef",
        "123e4567-e89b-12d3-a456-426614174000",
        hashlib.sha256(b"a key").hexdigest(),
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ],
)
def test_ids_of_keys_stay(night: Night, api_key_id: str) -> None:
    """Two keys become one because their ids look like keys."""
    night.land(run(api_key_id=api_key_id))
    assert night.one(RUNS)["api_key_id"] == api_key_id


def _otlp(key: str) -> bytes:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "http.header": f"Bearer {key}",
        "note": key,
    }
    one = {
        "traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": f"chat {key}",
        "startTimeUnixNano": "1780000000000000000", "endTimeUnixNano": "1780000001000000000",
        "attributes": [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items()],
        "status": {"code": 2, "message": f"Incorrect API key provided: {key}"},
    }  # fmt: skip
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}).encode() + b"\n"


def _langfuse(key: str) -> bytes:
    one = {
        "id": "o1", "traceId": "t1", "type": "GENERATION", "name": "call", "startTime": "2026-05-01T10:00:00.000Z",
        "endTime": "2026-05-01T10:00:01.000Z", "statusMessage": f"bad key {key}", "metadata": {"key": key}, "level": "ERROR",
        "projectId": "p", "model": "m", "usage": {"input": 1, "output": 1}, "parentObservationId": None,
    }  # fmt: skip
    return json.dumps(one).encode() + b"\n"


def _litellm(key: str) -> bytes:
    one = {
        "request_id": "q1", "call_type": "acompletion", "api_key": key, "spend": 0.1, "total_tokens": 2, "prompt_tokens": 1,
        "completion_tokens": 1, "startTime": "2026-05-01T10:00:00Z", "endTime": "2026-05-01T10:00:01Z", "model": "m",
        "metadata": {"user_api_key_alias": key, "error_information": {"error_message": key}, "note": f"Bearer {key}"}, "end_user": key,
    }  # fmt: skip
    return json.dumps(one).encode() + b"\n"


ROWS: list[dict[str, Any]] = [span(name=f"call {KEY}", error_message=f"denied: {KEY}", headers={"key": KEY})]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.jsonl", lambda _: jsonl(*ROWS)),
        ("a.csv", lambda _: csv_bytes(*ROWS)),
        ("a.parquet", lambda folder: text_parquet(ROWS, folder)),
        ("otlp.jsonl", lambda _: _otlp(KEY)),
        ("langfuse.jsonl", lambda _: _langfuse(KEY)),
        ("litellm.jsonl", lambda _: _litellm(KEY)),
    ],
)
def test_keys_reach_the_lake_from_no_format(night: Night, tmp_path: Path, name: str, make: Any) -> None:
    """A key in a message, a header or a name is masked in one format and not in another."""
    night.write(name, make(tmp_path))
    night.land()
    row = night.one()
    assert traces(night.settings.lake_dir, [KEY, "Zq81LmXw03Rt"]) == []
    assert "masked_key" in str(row["quality_flags"]), "nobody is told that the export holds keys"


def test_the_quarantine_has_no_keys(night: Night) -> None:
    """A line that does not conform is kept with the key that it holds."""
    night.land(run(status=KEY, note=KEY), f"no JSON, but {KEY}")
    assert len(night.quarantine()) == 2
    assert traces(night.settings.lake_dir, [KEY]) == []


def test_ids_are_hashed_with_the_salt(hashing: Night) -> None:
    """The hash is another function than the documented one, so that nobody can look a user up; or another id gives the same."""
    hashing.land(
        run("r1", user_id=USER), run("r2", user_id=USER, status="failed"), run("r3", user_id="b"), run("r4")
    )
    digest = hmac.new(SALT.encode(), USER.encode(), hashlib.sha256).hexdigest()
    ids = [row["user_id"] for row in hashing.rows(RUNS)]
    assert ids[:2] == [f"u_{digest[:32]}"] * 2 == [privacy.pseudonym(SALT, USER)] * 2
    assert ids[2] not in (ids[0], None)
    assert ids[3] is None
    assert traces(hashing.settings.lake_dir, [SALT, USER]) == [], (
        "the salt, or the id itself, is beside the hash"
    )


def test_nothing_tells_the_person(hashing: Night) -> None:
    """The id is hashed, and stands in the clear beside it: in metadata, attributes, errors or quarantine."""
    personal = {
        "email": E_MAIL,
        "full_name": "Anna Smith",
        "customer_id": "C-77",
        "contact": E_MAIL,
        "plan": "pro",
        "seats": 3,
        "beta": True,
    }
    hashing.land(
        run(
            user_id=USER, user_metadata=personal, error_message=f"no quota for {USER} ({E_MAIL})",
            trail={"asked_by": USER, "user": {"first_name": "Anna", "phone": "555-77"}, "mail_to": E_MAIL, "tool_name": "search"},
        ),
        run("r2", user_id=USER, status="nonsense"),
        run("r3", user_id=USER, user_metadata=f"{USER} {E_MAIL}"),
        f"{USER} is no JSON",
    )  # fmt: skip
    assert traces(hashing.settings.lake_dir, [USER, E_MAIL, "Anna", "C-77", "555-77", SALT]) == []
    row = hashing.one(RUNS)
    metadata = json.loads(row["user_metadata"])
    assert {name: metadata[name] for name in ("plan", "seats", "beta")} == {
        "plan": "pro",
        "seats": 3,
        "beta": True,
    }
    assert metadata["email"] == metadata["contact"] == privacy.pseudonym(SALT, E_MAIL), (
        "metadata can no longer be filtered by"
    )
    assert json.loads(row["attributes"])["trail"] == {
        "asked_by": row["user_id"],
        "user": {"first_name": "[personal]", "phone": "[personal]"},
        "mail_to": "[e-mail]",
        "tool_name": "search",
    }
    assert [line["raw"] for line in hashing.quarantine()] == [privacy.NOT_KEPT] * 3


def test_foreign_users_are_hashed(hashing: Night) -> None:
    """Only files of the contract are."""
    hashing.write(
        "litellm.jsonl", _litellm("x").replace(b'"end_user": "x"', f'"end_user": "{USER}"'.encode())
    )
    hashing.land()
    assert hashing.one()["user_id"] == privacy.pseudonym(SALT, USER)
    assert traces(hashing.settings.lake_dir, [USER]) == []


def test_without_a_salt_rows_stay_as_they_are(night: Night) -> None:
    """Somebody who hashes nothing loses what they did not ask to lose."""
    fields = {
        "user_id": E_MAIL,
        "user_metadata": {"email": E_MAIL},
        "error_message": f"for {E_MAIL}",
        "phone": "555",
    }
    night.land(run(**fields), span(), name="a.jsonl")
    row = night.one(RUNS)
    assert (row["user_id"], row["error_message"], row["quality_flags"]) == (E_MAIL, f"for {E_MAIL}", None)
    assert json.loads(row["user_metadata"]) == fields["user_metadata"]
    assert json.loads(row["attributes"]) == {"phone": "555"}
    assert night.one(SPANS)["quality_flags"] is None
