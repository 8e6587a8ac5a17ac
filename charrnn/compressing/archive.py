"""The file that `charrnn compress` writes: what is to be known before a symbol can be decoded, and the coded symbols.

    8 bytes    MAGIC
    1 byte     the version of the format
    4 bytes    the size of the head, big endian
    ...        the head: JSON, compressed as in RFC 1951
    ...        the coded symbols
    4 bytes    the CRC-32 of all bytes before, big endian: here in every version

Nothing of it is believed before the check sum is right.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from charrnn.errors import DataError

MAGIC = b"\x8bcharrnn"
VERSION = 1
MOST_HEAD = 1 << 20
"""Bytes of a head when it is no longer compressed."""

BEFORE = len(MAGIC) + 5
"""Bytes before the head."""

MOST_ROWS = 1024

DIGEST = 16
"""Hexadecimal digits that are kept of a SHA-256."""


@dataclass(frozen=True)
class Head:
    """Says what is needed to decode an archive, beside the model."""

    size: int
    """Bytes of the file."""
    sha256: str
    """How the SHA-256 of the file begins."""
    symbols: int
    rows: int
    escapes: bool
    """Whether some bytes are none of the model's symbols."""
    codec: str
    """The encoding in which bytes became characters."""
    machine: str
    """What computed it."""
    model: str = ""
    """How the SHA-256 of the model's weights begins; empty where it learns from the file alone."""
    updates: int = 0
    """How many updates that model had had, for people."""
    adapting: dict[str, Any] | None = None
    """How the trained model goes on learning; None where it does not."""
    alphabet: dict[str, Any] | None = None
    """The vocabulary of a model that learns from the file alone."""
    config: dict[str, Any] | None = None
    """Its configuration: the keys that are not as by default."""


def digest(data: bytes) -> str:
    """Returns how the SHA-256 of `data` begins."""
    return hashlib.sha256(data).hexdigest()[:DIGEST]


def to_bytes(head: Head, coded: bytes) -> bytes:
    """Returns the bytes of an archive."""
    defaults = {f.name: f.default for f in dataclasses.fields(Head)}
    told = {name: value for name, value in dataclasses.asdict(head).items() if value != defaults[name]}
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(json.dumps(told, separators=(",", ":")).encode()) + packer.flush()
    whole = MAGIC + bytes([VERSION]) + len(packed).to_bytes(4, "big") + packed + coded
    return whole + zlib.crc32(whole).to_bytes(4, "big")


def is_archive(data: bytes) -> bool:
    """Tells whether a file that begins so is an archive."""
    return data.startswith(MAGIC)


def from_bytes(data: bytes, name: str) -> tuple[Head, bytes]:
    """Returns the head and the coded symbols of an archive, which messages call `name`.

    Raises DataError for what is no archive, is damaged, or is of a later version.
    """
    if not is_archive(data):
        raise DataError(f"{name} is no archive of charrnn; give a file that was compressed by it")
    body = data[:-4]
    if len(data) < BEFORE + 4 or zlib.crc32(body) != int.from_bytes(data[-4:], "big"):
        raise DataError(f"{name} is damaged: its bytes are not those that were written; get it anew")
    if data[len(MAGIC)] != VERSION:
        raise DataError(
            f"{name} has format version {data[len(MAGIC)]}, and this charrnn reads {VERSION}: update charrnn"
        )
    size = int.from_bytes(body[BEFORE - 4 : BEFORE], "big")
    try:
        unpacked = zlib.decompressobj(-15).decompress(body[BEFORE : BEFORE + size], MOST_HEAD)
        head = Head(**json.loads(unpacked))
        _refuse_nonsense(head)
    except (zlib.error, ValueError, TypeError) as error:
        raise DataError(f"{name} was not written by charrnn: its head is none ({error}); get it anew") from error
    return head, body[BEFORE + size :]


def _refuse_nonsense(head: Head) -> None:
    """Raises ValueError for numbers that no archive has."""
    counts = {"size": head.size, "symbols": head.symbols, "rows": head.rows, "updates": head.updates}
    for name, value in counts.items():
        if type(value) is not int or not 0 <= value < 1 << 48:
            raise ValueError(f"{name} is no count")
    if not 1 <= head.rows <= MOST_ROWS or head.symbols > head.size:
        raise ValueError("there are too many rows, or symbols")
    if not all(isinstance(text, str) for text in (head.sha256, head.codec, head.machine, head.model)):
        raise ValueError("a text is none")
