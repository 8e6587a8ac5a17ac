"""A zip archive of members that are stored as they are: the same bytes with every Python, on every system.

The standard library's `zipfile` reads it, but is not asked to write: which versions and sizes it notes in its headers
differs between its patch releases, and the system that it names is the one it runs on. Here they are what it writes
under Linux since Python 3.11.4. The records are those of PKWARE's APPNOTE.TXT 6.3.10: 4.3.7, 4.3.12, 4.3.14 to 4.3.16
and 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")

_ZIP64 = 45
"""The version of the format, 4.5, that knows sizes of 64 bits."""
_UNIX = 3 << 8
_OWNER_MAY_WRITE = 0o600 << 16
_STORED = 0
_MIDNIGHT, _NEW_YEAR_1980 = 0, 1 << 5 | 1
_ELSEWHERE = 0xFFFFFFFF
"""Stands in place of a number that is in a field of 64 bits."""
LARGEST = 0x7FFFFFFF
"""The largest number in a field of 32 bits, as some readers take them to have a sign."""


@dataclass(frozen=True)
class Member:
    """Holds what the headers say of a member: its `size` in bytes, and at which byte, `place`, its header begins."""

    name: str
    crc: int
    size: int
    place: int


def pack(members: Iterable[tuple[str, Sequence[bytes | memoryview]]]) -> bytes:
    """Returns the archive. A member is its name, in ASCII, and the parts of its content, one after another."""
    pieces: list[bytes | memoryview] = []
    packed: list[Member] = []
    place = 0
    for name, content in members:
        crc = 0
        for part in content:
            crc = zlib.crc32(part, crc)
        member = Member(name, crc, sum(map(len, content)), place)
        header = header_of(member)
        packed.append(member)
        pieces += [header, *content]
        place += len(header) + member.size
    return b"".join([*pieces, directory(packed, place)])


def header_of(member: Member) -> bytes:
    """Returns what stands before the content of a member; its sizes always have 64 bits."""
    name, wide = member.name.encode("ascii"), _wide(member.size, member.size)
    return _LOCAL.pack(b"PK\3\4", *_both_tell(member, _ELSEWHERE, len(wide))) + name + wide


def directory(members: Sequence[Member], place: int) -> bytes:
    """Returns what stands behind all members: their list, which begins at `place`, and the end of the archive."""
    listed = b"".join(map(_listed, members))
    count, size, end = len(members), len(listed), place + len(listed)
    records = [listed]
    if place > LARGEST:
        records.append(_END_64.pack(b"PK\6\6", _END_64.size - 12, _ZIP64, _ZIP64, 0, 0, count, count, size, place))
        records.append(_LOCATOR_64.pack(b"PK\6\7", 0, end, 1))
    records.append(_END.pack(b"PK\5\6", 0, 0, count, count, size, min(place, _ELSEWHERE), 0))
    return b"".join(records)


def _listed(member: Member) -> bytes:
    """Returns the entry of a member in the list; here only numbers that are large have 64 bits."""
    sizes = [member.size, member.size] if member.size > LARGEST else []
    places = [member.place] if member.place > LARGEST else []
    size, place = _ELSEWHERE if sizes else member.size, _ELSEWHERE if places else member.place
    name, wide = member.name.encode("ascii"), _wide(*sizes, *places)
    both = _both_tell(member, size, len(wide))
    return _CENTRAL.pack(b"PK\1\2", _UNIX | _ZIP64, *both, 0, 0, 0, _OWNER_MAY_WRITE, place) + name + wide


def _both_tell(member: Member, size: int, wide: int) -> tuple[int, ...]:
    """Returns what the header of a member and its entry share; `wide` is the length of the field of 64 bits."""
    return _ZIP64, 0, _STORED, _MIDNIGHT, _NEW_YEAR_1980, member.crc, size, size, len(member.name), wide


def _wide(*numbers: int) -> bytes:
    """Returns the field with those numbers of a header that have 64 bits; nothing if there are none."""
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
