"""Tables and tiles of a report, and how its numbers are written."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from charrnn.judging.text_baselines import MOST


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", text: Sequence[int] = ()) -> str:
    """Returns a table of HTML cells whose first column has the headings of the rows; columns in `text` are texts."""

    def cells(row: Sequence[str]) -> str:
        return "".join(f"<td{_text(k in text)}>{cell}</td>" for k, cell in enumerate(row[1:], 1))

    across = "".join(f'<th scope="col"{_text(k in text)}>{cell}</th>' for k, cell in enumerate(head))
    body = "\n".join(f'<tr><th scope="row">{row[0]}</th>{cells(row)}</tr>' for row in rows)
    said = f"<caption>{caption}</caption>" if caption else ""
    return f'<div class="wide"><table>{said}<thead><tr>{across}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'


def _text(is_text: bool) -> str:
    return ' class="text"' if is_text else ""


def tiles(pairs: Iterable[tuple[str, str, str]]) -> str:
    """Returns what matters most, in large letters: what it is, its value, and what is to be said of it."""
    cells = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}"
        f"{f'<small>{html.escape(more)}</small>' if more else ''}</dd></div>"
        for name, value, more in pairs
    )
    return f'<dl class="tiles">{cells}</dl>\n'


def bits_table(found: list[tuple[str, float]], own: list[tuple[str, float]]) -> str:
    """Returns a table of bits per character, the fewest first; what is in `own` stands out."""
    all_of_them = [(name, bits, "") for name, bits in found] + [(name, bits, " class=own") for name, bits in own]
    ranked = sorted(all_of_them, key=lambda row: row[1])
    most = max(bits for _, bits, _ in ranked)
    rows = "\n".join(
        f'<tr{mark}><th scope="row">{html.escape(words(name))}</th><td>{bits:.3f}</td><td>{bits * math.log(2):.3f}</td>'
        f'<td class="bar"><span style="width:{100 * bits / most:.1f}%"></span></td></tr>'
        for name, bits, mark in ranked
    )
    return (
        '<div class="wide"><table><caption>All on the same validation text; fewer bits are better. N-grams fall back '
        f"on shorter ones (Witten and Bell); they learn from the training part, from at most {MOST:,} characters of "
        "it. Of a compressor stands here what it makes of the validation text alone, and how much more it needs for "
        "both than for the same training text.</caption>"
        '<thead><tr><th scope="col">what</th><th scope="col">bits per character</th><th scope="col">nats</th>'
        '<th scope="col" class="text bar">beside the others</th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>\n"
    )


def words(name: str) -> str:
    """Returns the name of a baseline as people say it."""
    if name.endswith("_after_training"):
        return f"{name.removesuffix('_after_training')}, after training"
    if name in ("gzip", "bz2", "xz"):
        return f"{name}, alone"
    return name.replace("_grams", "-grams").replace("_", " ")


def code(text: str) -> str:
    """Returns a text in the letters of code."""
    return f"<code>{html.escape(text)}</code>"


def value_of(value: Any) -> str:
    """Returns the value of a key as it is written in a configuration."""
    return code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def decimal(value: Any, decimals: int = 4) -> str:
    """Writes a number with so many decimals; nothing for what is none."""
    return f"{value:.{decimals}f}" if isinstance(value, int | float) and math.isfinite(value) else ""


def duration(seconds: Any) -> str:
    """Writes seconds as in `1 h 02 min` or `1 min 05 s`."""
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
