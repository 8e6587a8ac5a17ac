"""The page of `charrnn eval --heat`: a text in which each character is coloured by how much it surprised the model."""

from __future__ import annotations

import html
import itertools
import math

from charrnn.arrays import Array
from charrnn.judging.evaluation import Score
from charrnn.pages import style

LEVELS = 8
"""Colours, one for each bit of surprise; the last is for all that is more."""

STYLE = """
pre { white-space: pre-wrap; overflow-wrap: anywhere }
span { border-radius: 2px; color: #111 }
.b0 { color: inherit }
"""


def page(name: str, text: str, nats: Array, score: Score) -> str:
    """Returns an HTML page that needs no other file; `nats (N,)` belong to the N characters of `text`."""
    bits = nats / math.log(2)
    levels = [min(int(b), LEVELS - 1) for b in bits]
    body = []
    for level, group in itertools.groupby(zip(levels, text, strict=True), key=lambda pair: pair[0]):
        run = html.escape("".join(character for _, character in group))
        body.append(f'<span class="b{level}">{run}</span>' if level else run)
    colours = "\n".join(
        f".b{level} {{ background: hsl({55 - 7 * level} 100% {92 - 6 * level}%) }}" for level in range(1, LEVELS)
    )
    legend = " ".join(
        f'<span class="b{level}">&nbsp;{level}{"+" if level == LEVELS - 1 else ""}&nbsp;</span>'
        for level in range(LEVELS)
    )
    shown = (
        f"<p>{score.bits_per_char:.4f} bits per character over {score.chars:,} characters. "
        f"Bits of surprise: {legend}</p>\n<pre>{''.join(body)}</pre>"
    )
    return style.page(name, "surprise", STYLE + colours, shown)
