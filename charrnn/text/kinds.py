"""What a file is that is no text, by its first bytes, and what turns it into one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from charrnn.advice import word

HEAD = 8192
"""Bytes by which is told whether a file is a text."""


class Kind(NamedTuple):
    """Is a format of files that are no text."""

    what: str
    """What such a file is, as in `a PDF document`."""
    magic: bytes
    """What stands in it at `offset`."""
    offset: int = 0
    remedy: str = ""
    """A command that makes a text of it; `{file}` is the file, and `{text}` one of its name that is a text."""


KINDS = (
    Kind("a tar archive", b"ustar", 257, "tar -xf {file}"),
    Kind("a 7z archive", b"7z\xbc\xaf\x27\x1c", 0, "7z x {file}"),
    Kind("a RAR archive", b"Rar!\x1a\x07", 0, "unrar x {file}"),
    Kind("compressed with zstd", b"\x28\xb5\x2f\xfd", 0, "zstd -dc {file} > {text}"),
    Kind("compressed with lz4", b"\x04\x22\x4d\x18", 0, "lz4 -dc {file} > {text}"),
    Kind("compressed with lzip", b"LZIP\x01", 0, "lzip -dc {file} > {text}"),
    Kind("compressed with lzma", b"\x5d\x00\x00", 0, "xz -dc {file} > {text}"),
    Kind("compressed with compress", b"\x1f\x9d", 0, "gzip -dc {file} > {text}"),
    Kind("a PDF document", b"%PDF-", 0, "pdftotext {file} {text}"),
    Kind("an old Office document", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    Kind("a PNG image", b"\x89PNG\r\n\x1a\n"),
    Kind("a JPEG image", b"\xff\xd8\xff"),
    Kind("a GIF image", b"GIF87a"),
    Kind("a GIF image", b"GIF89a"),
    Kind("a TIFF image", b"II*\x00"),
    Kind("a TIFF image", b"MM\x00*"),
    Kind("a WebP image", b"WEBP", 8),
    Kind("a film", b"ftyp", 4),
    Kind("a film", b"\x1aE\xdf\xa3"),
    Kind("a sound", b"WAVE", 8),
    Kind("a sound", b"ID3\x02"),
    Kind("a sound", b"ID3\x03"),
    Kind("a sound", b"ID3\x04"),
    Kind("a sound", b"OggS\x00"),
    Kind("a sound", b"fLaC\x00"),
    Kind("a MIDI file", b"MThd\x00"),
    Kind("a font", b"\x00\x01\x00\x00\x00"),
    Kind("a program", b"\x7fELF"),
    Kind("a program", b"\xcf\xfa\xed\xfe"),
    Kind("a compiled class", b"\xca\xfe\xba\xbe"),
    Kind("a WebAssembly module", b"\x00asm"),
    Kind("a SQLite database", b"SQLite format 3\x00"),
    Kind("a NumPy array", b"\x93NUMPY"),
    Kind("an HDF5 file", b"\x89HDF\r\n\x1a\n"),
    Kind("a Parquet file", b"PAR1"),
)
"""The formats that are known by name. Those that are read (see `compressed`) are not among them."""


def kind_of(head: bytes) -> Kind | None:
    """Returns which of KINDS a file is that begins with `head`; None for a text, and for what is not known."""
    return next((kind for kind in KINDS if head.startswith(kind.magic, kind.offset)), None)


def is_no_text(head: bytes) -> bool:
    """Tells whether a file that begins with `head` is surely no text: it is of a known kind, or has NUL characters.

    A text in UTF-16 or UTF-32 may have them too; one with a byte order mark is known by that.
    """
    if kind_of(head):
        return True
    return b"\0" in head[:HEAD] and not head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))


def archive_kind(members: Sequence[str]) -> str | None:
    """Returns what a zip archive is by the names in it, where it is no archive of texts: a document or a checkpoint."""
    if "[Content_Types].xml" in members:
        return "an Office document"
    if "mimetype" in members[:1]:
        return "an e-book or an OpenDocument"
    if members and all(name.endswith(".npy") for name in members):
        return "a checkpoint or another file of NumPy arrays"
    return None


def remedy_for(kind: Kind, name: str, packed: bool = False) -> str:
    """Says what to do with a file of a kind: a command that can be pasted, if there is one.

    `packed` says that the file itself is a compressed one, of which only tar has heard.
    """
    if packed and not kind.remedy.startswith("tar "):
        return "unpack it yourself, and give a text" if kind.remedy else "give a text"
    if not kind.remedy or name == "standard input" or name.startswith("--"):  # which is no file, but an option
        return "give a text"
    path = PurePath(name)
    return "make a text of it with: " + kind.remedy.format(file=word(path), text=word(path.with_suffix(".txt")))
