"""`charrnn eval --heat`: a text in which each character is coloured by how much it surprised the model."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from charrnn.judging.evaluation import Score
from charrnn.judging.surprise import Passage
from charrnn.pages import style

LEVELS = 8
"""Colours, one for each bit of surprise; the last is for all that is more."""

SKIPPED = -1
"""Stands in the place of a level where a character was skipped, as the model does not know it."""

END = "\u220e"
"""Is shown for the end of a document."""

STYLE = """
pre { white-space: pre-wrap; overflow-wrap: anywhere }
span { border-radius: 2px; color: #111 }
.b0 { color: inherit }
.skipped { text-decoration: underline dotted; color: #777 }
"""


class Shown(NamedTuple):
    """Holds what is shown of one source."""

    name: str
    passages: Sequence[Passage]


def levels(passage: Passage) -> list[int]:
    """Returns the whole bits of surprise of each character of a passage, and of its end."""
    nats = np.nan_to_num(passage.guesses.nats, nan=np.inf, posinf=np.inf)  # of weights that have exploded
    bits = np.minimum(nats / math.log(2), LEVELS - 1).astype(int)
    found: list[int] = np.where(passage.scored, bits, SKIPPED).tolist()
    return found


def summary(score: Score) -> str:
    """Says how many bits a character took, above a text that shows where."""
    return f"{score.bits_per_char:.4f} bits per character over {score.chars:,} characters."


def page(name: str, shown: Sequence[Shown], score: Score) -> str:
    """Returns an HTML page that needs no other file; where there are several sources, each has a heading."""
    colours = "\n".join(
        f".b{level} {{ background: hsl({55 - 7 * level} 100% {92 - 6 * level}%) }}" for level in range(1, LEVELS)
    )
    passages = [passage for source in shown for passage in source.passages]
    legend = " ".join(
        f'<span class="b{level}">&nbsp;{level}{"+" if level == LEVELS - 1 else ""}&nbsp;</span>'
        for level in range(LEVELS)
    )
    if any(passage.is_document for passage in passages):
        legend += f" {END} is the end of a document."
    if not all(passage.scored.all() for passage in passages):
        legend += ' What the model does not know is <span class="skipped">skipped</span>.'
    body = []
    for source in shown:
        heading = f"<h2>{html.escape(source.name)}</h2>\n" if len(shown) > 1 else ""
        body.append(f"{heading}<pre>{_blocks(source.passages)}</pre>")
    whole = f"<p>{summary(score)} Bits of surprise: {legend}</p>\n" + "\n".join(body)
    return style.page(name, "surprise", STYLE + colours, whole)


def _blocks(passages: Sequence[Passage]) -> str:
    """Returns passages as HTML: a document after the other, or pieces of a text with a rule between them."""
    between = "" if passages and passages[0].is_document else "</pre>\n<hr>\n<pre>"
    return between.join(map(_block, passages))


def _block(passage: Passage) -> str:
    text = passage.text + END * passage.is_document
    body = [] if passage.label is None else [f"<b>{html.escape(passage.label)}</b> "]
    for level, group in itertools.groupby(zip(levels(passage), text, strict=True), key=lambda pair: pair[0]):
        run = html.escape("".join(character for _, character in group))
        name = "skipped" if level == SKIPPED else f"b{level}"
        body.append(f'<span class="{name}">{run}</span>' if level else run)
    return "".join(body) + "\n" * passage.is_document
