"""An S3 server on localhost (moto) and folders on it. Skips, with the reason, where its packages are not installed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest


@contextmanager
def s3_server() -> Iterator[None]:
    """A server of its own, and the environment in which S3's own tools find it, for the time of the block."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed: no S3 server for tests")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        with mock.patch.dict(os.environ, environment):
            yield
    finally:
        server.stop()


def make_bucket(name: str) -> None:
    """A bucket, if there is none of that name."""
    import boto3

    boto3.client("s3").create_bucket(Bucket=name)


def write_object(url: str, content: bytes) -> None:
    """An object, whatever its name: not through the product's own code."""
    import boto3

    bucket, _, key = url.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def remove_object(url: str) -> None:
    """An object less."""
    import boto3

    bucket, _, key = url.removeprefix("s3://").partition("/")
    boto3.client("s3").delete_object(Bucket=bucket, Key=key)


def objects(url: str) -> dict[str, bytes]:
    """Everything below a URL, by name below it."""
    import boto3

    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    client = boto3.client("s3")
    found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "").get("Contents", [])
    return {
        item["Key"].removeprefix(f"{prefix}/"): client.get_object(Bucket=bucket, Key=item["Key"])[
            "Body"
        ].read()
        for item in found
    }
