"""What is reached on a part of a text without a network: by guessing, by counting n-grams, and by common compressors.

All of them know the training part, or as much of it as `MOST` allows; what compressors make of the other part alone is
told too. So each can stand beside the loss of a model on the same characters.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.judging.back_off import probabilities
from charrnn.text.streams import Streams

LONGEST = 6
"""Characters of the longest n-grams."""

MOST = 1 << 22
"""Characters of the training part that are counted, and compressed, at most: it takes some ten seconds."""

CONTEXT = LONGEST - 1

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 9),
    "bz2": lambda data: bz2.compress(data, 9),
    "xz": lambda data: lzma.compress(data, preset=6),
}


class Spelling(Protocol):
    """Turns ids into characters, and these into bytes, as a vocabulary does."""

    def __len__(self) -> int: ...

    def decode(self, ids: Ids, /) -> str: ...

    def to_bytes(self, text: str, /) -> bytes: ...


class Laid(NamedTuple):
    """Holds texts laid out in one row, for `back_off.probabilities`."""

    ids: Ids
    counted: Array
    """Which of them are of the training part: (N,)."""
    asked: Array
    """Which of them are predicted: (N,)."""

    @classmethod
    def of(cls, pieces: Iterable[tuple[Ids, int, bool]]) -> Laid:
        """Lays out pieces: their ids, of how many of these something is known before, and whether they are asked."""
        neither = np.zeros(1, bool)
        ids, counted, asked = [np.array([-1])], [neither], [neither]
        for piece, before, is_asked in pieces:
            own = np.arange(len(piece)) >= before
            ids.append(piece.astype(np.int64))
            counted.append(own & (not is_asked))
            asked.append(own & is_asked)
        return cls(np.concatenate(ids), np.concatenate(counted), np.concatenate(asked))


def of_streams(train: Streams, part: Streams, symbols: Spelling) -> dict[str, dict[str, float]]:
    """Returns what baselines reach on the characters that `part` predicts, by their names: `nats_per_char` and bits."""
    share = max(1, MOST // train.batch_size)
    laid = Laid.of([*_pieces(train, share, False), *_pieces(part, None, True)])
    known, text = symbols.decode(laid.ids[laid.counted]), symbols.decode(laid.ids[laid.asked])
    found = _counting(laid, len(symbols), len(text))
    return found | _compressing(symbols.to_bytes(known), symbols.to_bytes(text), len(text))


def of_documents(
    train: list[str], part: list[str], between: str, encode: Callable[[str], Ids], symbols: Spelling
) -> dict[str, dict[str, float]]:
    """Returns the same for documents, each of which ends with one more symbol; in a file, `between` does that."""
    end = len(symbols)
    edge = np.full(CONTEXT, end)

    def pieces(texts: list[str], asked: bool) -> Iterable[tuple[Ids, int, bool]]:
        return ((np.concatenate([edge, encode(text), [end]]), CONTEXT, asked) for text in texts)

    sizes = np.cumsum([len(text) + 1 for text in train])
    train = train[: max(1, int(np.searchsorted(sizes, MOST, side="right")))]
    laid = Laid.of([*pieces(train, False), *pieces(part, True)])
    known, text = ("".join(one + between for one in some) for some in (train, part))
    chars = sum(len(one) + 1 for one in part)
    found = _counting(laid, end + 1, chars)
    return found | _compressing(symbols.to_bytes(known), symbols.to_bytes(text), chars)


def _pieces(streams: Streams, most: int | None, asked: bool) -> Iterable[tuple[Ids, int, bool]]:
    """Yields what each stream predicts, or the last `most` characters of it, with a few characters before it."""
    for first, length in zip(streams.first.tolist(), streams.lengths.tolist(), strict=True):
        stop = first + length + 1
        start = first + 1 if most is None else max(first + 1, stop - most)
        begin = max(0, start - CONTEXT)
        if stop > start:
            yield streams.ids.take(np.arange(begin, stop)[:, None], mode="clip")[:, 0], start - begin, asked


def _counting(laid: Laid, V: int, chars: int) -> dict[str, dict[str, float]]:
    found = probabilities(laid.ids, laid.counted, laid.asked, V, LONGEST)
    names = ["uniform", "unigram", *(f"{n}_grams" for n in range(2, LONGEST + 1))]
    return {name: _score(-math.fsum(np.log(p).tolist()) / chars) for name, p in zip(names, found, strict=True)}


def _compressing(known: bytes, text: bytes, chars: int) -> dict[str, dict[str, float]]:
    """Returns what compressors make of a text alone, and after a known one: by how much they need more for both.

    One that needs less for both, as bz2 may where it sorts a short text into the known one, is left out.
    """
    alone = {name: len(compress(text)) for name, compress in COMPRESSORS.items()}
    after = {
        f"{name}_after_training": len(compress(known + text)) - len(compress(known))
        for name, compress in COMPRESSORS.items()
    }
    return {name: _score(size * 8 * math.log(2) / chars) for name, size in (alone | after).items() if size > 0}


def _score(nats: float) -> dict[str, float]:
    return {"nats_per_char": nats, "bits_per_char": nats / math.log(2)}
