"""Pages with tables of shaded cells: which label was taken for which, and what attention looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.judging.scores import macro_f1, mcc
from charrnn.pages.style import line, page, sign

LEVELS = 10
"""Shades between nothing and all."""

MOST_CELLS = 400_000
"""Cells of a page; a browser takes seconds for more."""

TABLES = """
body { max-width: 84em }
p { max-width: 56em }
.wide { overflow-x: auto; margin: 0 0 2em; padding: 2px 0 }
table { border-collapse: separate; border-spacing: 1px; font-size: 13px; line-height: 1.3 }
th { font-weight: normal; text-align: right; white-space: nowrap; padding: 1px 5px; background: var(--paper) }
td { text-align: right; min-width: 1.5em; height: 1.5em; padding: 1px 4px; border-radius: 2px; background: var(--tint) }
tbody th { position: sticky; left: 0 }
thead th { vertical-align: bottom }
.label { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: 5px 1px }
.across th { text-align: center; padding: 1px 0 }
.sum { background: none; color: var(--soft) }
.right { outline: 1px solid var(--ink); outline-offset: -1px }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 .3em }
"""


def confusion_page(name: str, labels: Sequence[str], confusion: Ids) -> str:
    """Returns a page with how often the label of a row was answered with that of a column: `confusion (K, K)`.

    A cell is shaded by its share of the row, so that rare labels are as visible as frequent ones.
    """
    n, right = int(confusion.sum()), int(np.trace(confusion))
    true, answered = confusion.sum(axis=1), confusion.sum(axis=0)
    shares = confusion / np.maximum(true, 1)[:, None]
    names = [f"<bdi>{line(label)}</bdi>" for label in labels]
    across = "".join(f'<th scope="col"><div class="label">{label}</div></th>' for label in names)
    lines = [f"<tr><td class=sum></td>{across}<th>items</th><th>found</th></tr></thead>\n<tbody>"]
    for k, label in enumerate(names):
        cells = "".join(_count(confusion[k, j], shares[k, j], j == k) for j in range(len(names)))
        sums = f"<td class=sum>{true[k]:,}</td><td class=sum>{_percent(confusion[k, k], true[k])}</td>"
        lines.append(f'<tr><th scope="row">{label}</th>{cells}{sums}</tr>')
    counts = "".join(f"<td class=sum>{count:,}</td>" for count in answered)
    correct = "".join(f"<td class=sum>{_percent(confusion[k, k], answered[k], 0)}</td>" for k in range(len(names)))
    lines.append(f"<tr><th>answered</th>{counts}<td class=sum>{n:,}</td><td class=sum></td></tr>")
    lines.append(f"<tr><th>of these right</th>{correct}<td class=sum></td><td class=sum>{_percent(right, n)}</td></tr>")
    scores = f"macro F1 {macro_f1(confusion):.4f}, MCC {mcc(confusion):.4f}"
    body = (
        f"<p>{right:,} of {n:,} items are right ({_percent(right, n)}); {scores}. A row is what is true, a column what "
        "was answered; the stronger its colour, the larger its share of the row.</p>\n"
        '<div class=wide><table dir="ltr"><thead>' + "\n".join(lines) + "</tbody></table></div>"
    )
    return page(name, "confusion", TABLES + _shades(), body)


def attention_page(name: str, items: Iterable[tuple[str, str, Array]]) -> str:
    """Returns a page with a grid for each item: which characters of its source each character of its answer looked at.

    An item is its source, its answer and `weights (T, S)`: a row for each character of the answer, and perhaps one more
    for its end; a column for each character of the source. Items that would make the page too large are left out, and
    the page says how many.
    """
    grids: list[str] = []
    cells = left_out = 0
    for source, answer, weights in items:
        cells += weights.size
        if cells > MOST_CELLS and grids:
            left_out += 1
        else:
            grids.append(_grid(source, answer, weights))
    scale = " ".join(f"<span{_shade(level / LEVELS)}>&nbsp;{level / LEVELS:.1f}&nbsp;</span>" for level in range(11))
    more = f"<p>{left_out:,} more items are not shown: a browser could not hold them.</p>\n" if left_out else ""
    body = (
        f"<p>Across, what was read; down, what was answered. A row shows how its character's attention was spread: "
        f"{scale}</p>\n{''.join(grids)}{more}"
    )
    return page(name, "attention", TABLES + _shades(), body)


def _grid(source: str, answer: str, weights: Array) -> str:
    read, written = _characters(source, weights.shape[1]), _characters(answer, weights.shape[0])
    lines = []
    for character, row in zip(written, np.nan_to_num(weights).tolist(), strict=True):
        cells = "".join(
            f'<td{_shade(weight)} title="{character} from {other}: {weight:.2f}"></td>'
            if weight >= 0.005
            else "<td></td>"
            for weight, other in zip(row, read, strict=True)
        )
        lines.append(f'<tr><th scope="row"><bdi>{character}</bdi></th>{cells}</tr>')
    across = "".join(f'<th scope="col"><bdi>{character}</bdi></th>' for character in read)
    body = "\n".join(lines)
    return (
        f"<p class=text><bdi>{line(source)}</bdi> &rarr; <bdi>{line(answer)}</bdi></p>\n"
        f'<div class=wide><table dir="ltr"><thead class=across><tr><th></th>{across}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _characters(text: str, count: int) -> list[str]:
    """Returns the characters of a text, visible and escaped; what there are more of is its end."""
    return [sign(character) for character in text] + ["end"] * (count - len(text))


def _count(count: int, share: float, right: bool) -> str:
    """Returns a cell of the confusion; one that is 0 is empty, for what is seldom so should be seen."""
    return f"<td{_shade(share, 'right' if right else '')}>{f'{count:,}' if count else ''}</td>"


def _percent(part: int, whole: int, decimals: int = 1) -> str:
    return f"{part / whole:.{decimals}%}" if whole else ""


def _shade(share: float, more: str = "") -> str:
    """Returns the attribute that shades a cell or a span by a share between 0 and 1."""
    level = min(max(round(share * LEVELS), 0), LEVELS) or int(share > 0)
    names = " ".join(filter(None, [f"s{level}" if level else "", more]))
    return f' class="{names}"' if names else ""


def _shades() -> str:
    """Returns the colours of the levels: the farther from the paper, the more; letters stay readable on each."""

    def shades(start: float, step: float, on_pale: str, on_strong: str) -> list[str]:
        colours = [f"background: hsl(212 65% {start + step * level}%)" for level in range(1, LEVELS + 1)]
        letters = [on_strong if level > 6 else on_pale for level in range(1, LEVELS + 1)]
        return [f".s{k} {{ {c}; color: {on} }}" for k, (c, on) in enumerate(zip(colours, letters, strict=True), 1)]

    by_day, by_night = shades(97, -6.5, "#111", "#fff"), shades(12, 6.5, "#fff", "#111")
    return "\n".join([*by_day, "@media screen and (prefers-color-scheme: dark) {", *by_night, "}"])
