"""Where lines begin in a text: what a model is given to read, so that it writes as one that has read on until there."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Ids
from charrnn.text.streams import Streams

COUNT = 16
"""How many places are looked for, spread evenly over the text."""

CONTEXT = 256
"""How many symbols before a place are kept at most: so many let the state forget that it began empty."""

WINDOW = 4096
"""How many symbols are looked through for the end of a line."""


def openings(streams: Streams, symbols: str) -> list[list[int]]:
    """Returns the ids before some places of the text at which a line begins, its line end the last of them.

    Lines end with the commonest line end of the text: a line feed, whatever may stand before it, or a carriage return
    alone. In a text that has neither, words begin there, and in one without blanks it is anywhere.
    """
    columns = _columns(streams)
    feed, carriage, blank = (symbols.find(c) for c in "\n\r ")
    feeds = [column == feed for column in columns]
    carriages = [(column == carriage) & ~np.append(column[1:] == feed, False) for column in columns]
    more_feeds = sum(map(np.sum, feeds)) >= sum(map(np.sum, carriages))
    for ends in (feeds if more_feeds else carriages, [column == blank for column in columns]):
        if any(map(np.any, ends)):
            found = [np.flatnonzero(end)[-1:] for end in ends]
            break
    else:
        found = [np.array([len(column) - 1]) for column in columns]
    kept = [
        column[max(0, last - CONTEXT + 1) : last + 1]
        for column, place in zip(columns, found, strict=True)
        for last in place
    ]
    return [list(ids) for ids in dict.fromkeys(tuple(column.tolist()) for column in kept)]


def _columns(streams: Streams) -> list[Ids]:
    """Returns the ids before each place: (n,), within the same stream, of which nothing else is read."""
    total = streams.lengths.cumsum()
    places = np.arange(1, COUNT + 1) * int(total[-1]) // COUNT
    row = np.searchsorted(total, places)
    length = streams.lengths[row]
    offset = np.maximum(places - (total[row] - length), np.minimum(CONTEXT, length))
    last = streams.first[row] + offset
    symbols = streams.ids.take(last + np.arange(1 - WINDOW, 1)[:, None], mode="clip")
    return [symbols[-min(WINDOW, n + 1) :, k] for k, n in enumerate(offset.tolist())]
