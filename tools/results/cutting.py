"""Cuts what a user has into a file to train on and a file to test on, by rules that give everybody the same files.

An item is in the test part by the checksum of its text, so the rule needs no list, knows no order, and never puts equal
texts in both parts.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from charrnn.text import making

Pair = tuple[str, str]

TENTH = 10
"""One text of so many is for the test."""
SMS_TRAIN = 1672
"""30 % of the messages, as Almeida et al. 2011 have it."""
DIGITS, SUMS_SEED = 3, 0


class Parts(NamedTuple):
    """What a rule makes: pairs of texts."""

    train: list[Pair]
    test: list[Pair]


def held_out(text: str) -> bool:
    """Whether the items of this text are for the test."""
    return zlib.crc32(text.encode()) % TENTH == 0


def read(path: Path) -> list[Pair]:
    """The pairs of a table; what is escaped in them stays so."""
    rows = path.read_text("utf-8").split("\n")
    return [(first, second) for first, _, second in (row.partition("\t") for row in rows if row)]


def by_checksum(pairs: Iterable[Pair], key: Callable[[Pair], str]) -> Parts:
    """Each pair in the part that its key is in."""
    parts = Parts([], [])
    for pair in pairs:
        parts[held_out(key(pair))].append(pair)
    return parts


def labelled(data: Path, file: str) -> Parts:
    """Labels and texts, cut by the text."""
    return by_checksum(read(data / file), lambda pair: pair[1])


def messages(data: Path, file: str) -> Parts:
    """The first messages to train on; to test on, those of the others whose text is not among them."""
    rows = read(data / file)
    train = rows[:SMS_TRAIN]
    seen = {text for _, text in train}
    return Parts(train, [row for row in rows[SMS_TRAIN:] if row[1] not in seen])


def words(data: Path, file: str) -> Parts:
    """Words with their phonemes: these files are cut already, by the word."""
    train, test = file.split()
    return Parts(read(data / train), read(data / test))


def sums(_data: Path, file: str) -> Parts:
    """So many sums from a generator, written backwards where that is asked for; a + b and b + a are in one part."""
    rows, _, order = file.partition(" ")
    parts = by_checksum(making.sums(int(rows), DIGITS, SUMS_SEED), lambda pair: "+".join(sorted(pair[0].split("+"))))
    if order != "reversed":
        return parts
    return Parts(*([(source[::-1], target) for source, target in part] for part in parts))


def lines(data: Path, file: str) -> Parts:
    """The lines of a text in small letters, and as they are: cut by the line in small letters."""
    text = (data / file).read_text("utf-8-sig")
    return by_checksum(making.capitals(text), lambda pair: pair[0])


def write(pairs: Iterable[Pair], path: Path, made: bool) -> None:
    """Writes a table; what was `made` here is escaped, what was read is so already."""
    rows = making.to_tsv(pairs) if made else (f"{first}\t{second}\n" for first, second in pairs)
    path.write_text("".join(rows), "utf-8", newline="\n")
