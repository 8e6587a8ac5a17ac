"""The lines of a text, and the files of a folder: what data in many items are read from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from charrnn.errors import DataError
from charrnn.text.text import MARK, SURROGATE, Text
from charrnn.text.vocabulary import BYTES


def characters_of(text: Text) -> str:
    """Returns the characters of a text as one string, without the byte order mark that bytes may begin with."""
    return "".join(text.pieces()).removeprefix(_mark(text))


def _mark(text: Text) -> str:
    """Returns the byte order mark that a text may still have, which is read as bytes, in its symbols."""
    return MARK.encode().decode("latin-1") if text.encoding == BYTES else ""


def lines_of(text: Text) -> list[str]:
    """Returns the lines of a text without their ends, of Unix, Windows or old Macs; the last may have none."""
    return list(each_line(text))


def each_line(text: Text) -> Iterator[str]:
    """Yields the same lines, so that a text of any size needs no memory to speak of."""
    mark, parts = _mark(text), [""]
    end = "\r" if "\r" in text.symbols and "\n" not in text.symbols else "\n"
    for k, piece in enumerate(text.pieces()):
        first, *others = (piece if k else piece.removeprefix(mark)).split(end)
        parts.append(first)
        for following in others:
            yield "".join(parts).removesuffix("\r")
            parts = [following]
    if last := "".join(parts):
        yield last.removesuffix("\r")


def count_line_ends(text: Text) -> dict[str, int]:
    """Returns how many line ends there are of each kind: LF of Unix, CRLF of Windows, CR of old Macs."""
    counts, before = {"LF": 0, "CRLF": 0, "CR": 0}, ""
    for piece in text.pieces():
        both = piece.count("\r\n") + (before == "\r" and piece[0] == "\n")
        counts["CRLF"] += both
        counts["LF"] += piece.count("\n") - both
        counts["CR"] += piece.count("\r") - both
        before = piece[-1]
    return counts


def files_in(folder: str) -> list[Path]:
    """Returns the files of a folder by name, without hidden ones. Raises DataError where it has folders, or no files.

    Those whose names are no text are refused too: they could be in no message and name no label.
    """
    try:
        paths = sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{folder!r} cannot be read: {reason}; give a folder of files") from error
    for path in paths:
        if path.is_dir():
            raise DataError(f"{path} is a folder, and only files are read from {folder}; take it out")
        if SURROGATE.search(path.name):
            raise DataError(f"{folder} has a file whose name {path.name!r} is no text; rename it")
    if not paths:
        raise DataError(f"{folder} has no files; give a folder of files")
    return paths


def joint_checksum(*checksums: str | None) -> str:
    """Returns one checksum for several, some of which may be None; that of one alone is this itself."""
    if not any(checksums[1:]):
        return checksums[0] or ""
    return hashlib.sha256("\n".join(checksum or "" for checksum in checksums).encode()).hexdigest()
