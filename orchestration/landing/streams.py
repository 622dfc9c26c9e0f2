"""The bytes of a landing file: decompressed, checked to be whole, measured. Nothing here knows rows or SQL.

DuckDB does not verify the checksum of a gzip (a flipped bit becomes another amount) and reads a truncated
zstd up to the break, both without an error. So each compressed file is decompressed once here before it is
trusted.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from orchestration.landing.files import LandingFile

MAX_LINE_BYTES = 64 << 20
"""The longest line that is read; twice the 30 MB that is promised."""

MAX_EXPANSION = 200
"""How many times its size a compressed file may become. Exports become 10 to 30 times theirs, the same row over and over about 150."""
_HARMLESS_BYTES = 256 << 20
"""What any file may become: a second of reading."""

_READ_BYTES = 1 << 20
# A zstd block of four bytes may stand for 128 KiB; feeding little at a time bounds what comes out at once.
_ZSTD_READ_BYTES = 4096


class UnreadableFileError(Exception):
    """The whole file cannot be read; the message says why and what to do. Nothing of it is loaded."""


@dataclass(frozen=True)
class Measure:
    """`lines`: how many lines a text file has, blank ones included. `is_uniform`: all end the same way.
    `longest_bytes`: an upper bound of the longest line. `may_name_usage`: a usage body may be in it, spelled with escapes too.
    """

    lines: int
    is_uniform: bool
    longest_bytes: int
    may_name_usage: bool = True


_USAGE_NAME = b'"usage"'
_USAGE_ESCAPES = re.compile(rb"\\u00[67]")
"""How its letters begin where they are JSON escapes."""
_LONGEST_MARK = len(_USAGE_NAME)


def _names_usage(text: bytes) -> bool:
    return _USAGE_NAME in text or _USAGE_ESCAPES.search(text) is not None


def measure(file: LandingFile, *, are_lines_bound: bool = True, is_usage_sought: bool = True) -> Measure:
    """Read the file once to its end. Whether it names usage is not looked for where nobody asks: it is half of the time.

    Raises UnreadableFileError where its compression is damaged or a line is too long to be read (with `are_lines_bound`).
    """
    feeds = returns = pairs = pending = longest = 0
    may_name_usage = not is_usage_sought
    last = end = b""
    for chunk in chunks(file):
        if not may_name_usage:
            seam = end + chunk[:_LONGEST_MARK]
            may_name_usage = _names_usage(chunk) or _names_usage(seam)
            end = chunk[-_LONGEST_MARK:] if len(chunk) >= _LONGEST_MARK else (end + chunk)[-_LONGEST_MARK:]
        feeds += chunk.count(b"\n")
        # Most files have none: the search for pairs alone took 0.4 s of CPU for 215 MB.
        has_returns = b"\r" in chunk
        if has_returns:
            returns += chunk.count(b"\r")
            pairs += chunk.count(b"\r\n")
        pairs += last == b"\r" and chunk.startswith(b"\n")
        last = chunk[-1:]
        ends = (b"\n", b"\r") if has_returns else (b"\n",)
        first_end = min((at for end in ends if (at := chunk.find(end)) >= 0), default=-1)
        if first_end < 0:
            pending += len(chunk)
        else:
            last_end = max(chunk.rfind(end) for end in ends)
            # Within a chunk the distance of the first and the last end is bound enough.
            longest = max(longest, pending + first_end + 1, last_end - first_end)
            pending = len(chunk) - last_end - 1
        longest = max(longest, pending)
        if are_lines_bound and pending > MAX_LINE_BYTES:
            number = feeds + returns - pairs + 1
            raise UnreadableFileError(
                f"line {number} is longer than {MAX_LINE_BYTES >> 20} MiB, the most that is read"
            )
    lines = feeds + returns - pairs
    kinds = [feeds - pairs > 0, returns - pairs > 0, pairs > 0]
    return Measure(lines + (last not in (b"\n", b"\r", b"")), sum(kinds) <= 1, longest, may_name_usage)


def open_bytes(file: LandingFile) -> BinaryIO:
    """The decompressed bytes as a stream."""
    if file.compression == "none":
        return file.path.open("rb")
    return io.BufferedReader(_ChunkStream(chunks(file)), _READ_BYTES)


def chunks(file: LandingFile) -> Iterator[bytes]:
    """The decompressed bytes, piece by piece. Raises UnreadableFileError at damage, an early end, or where a small file has no end."""
    if file.compression == "gzip":
        yield from _bounded(file, _gunzip(file))
    elif file.compression == "zstd":
        yield from _bounded(file, _unzstd(file))
    else:
        with file.path.open("rb") as stream:
            while data := stream.read(_READ_BYTES):
                yield data


def _bounded(file: LandingFile, pieces: Iterator[bytes]) -> Iterator[bytes]:
    most = max(_HARMLESS_BYTES, MAX_EXPANSION * file.fingerprint.size_bytes)
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > most:
            raise UnreadableFileError(
                f"decompressed, it is more than {MAX_EXPANSION} times its {file.fingerprint.size_bytes:,} bytes: no export is that "
                "repetitive; if it is one, send it uncompressed"
            )
        yield piece


def _gunzip(file: LandingFile) -> Iterator[bytes]:
    with file.path.open("rb") as stream:
        pending = stream.read(_READ_BYTES)
        if not pending:
            raise UnreadableFileError("the gzip stream is empty: the file is truncated, send it again")
        while pending:
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                if not pending:
                    raise UnreadableFileError(
                        "the gzip stream ends in the middle: the file is truncated, send it again"
                    )
                try:
                    data = member.decompress(pending, _READ_BYTES)
                except zlib.error as error:
                    raise UnreadableFileError(
                        f"the gzip stream is damaged, send it again ({error})"
                    ) from error
                pending = member.unused_data if member.eof else member.unconsumed_tail
                if data:
                    yield data
                if not pending and not member.eof:
                    pending = stream.read(_READ_BYTES)
            pending = pending or stream.read(_READ_BYTES)


def _unzstd(file: LandingFile) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415 - only for those who send zstd

    with file.path.open("rb") as stream:
        pending = stream.read(_ZSTD_READ_BYTES)
        if not pending:
            raise UnreadableFileError("the zstd stream is empty: the file is truncated, send it again")
        while pending:
            frame = zstandard.ZstdDecompressor().decompressobj()
            while not frame.eof:
                if not pending:
                    raise UnreadableFileError(
                        "the zstd stream ends in the middle: the file is truncated, send it again"
                    )
                try:
                    data = frame.decompress(pending)
                except zstandard.ZstdError as error:
                    raise UnreadableFileError(
                        f"the zstd stream is damaged, send it again ({error})"
                    ) from error
                pending = frame.unused_data if frame.eof else stream.read(_ZSTD_READ_BYTES)
                if data:
                    yield data
            pending = pending or stream.read(_ZSTD_READ_BYTES)


class _ChunkStream(io.RawIOBase):
    """An iterator of pieces as a raw stream, for the readers of the standard library."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
