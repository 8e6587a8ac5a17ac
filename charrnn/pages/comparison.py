"""The page of several runs: their curves in one picture, and what differs between them."""

from __future__ import annotations

import html
import math
import string
from collections.abc import Sequence
from typing import Any

from charrnn.pages import parts, report, tables
from charrnn.pages.curves import STYLES, Chart, Line, colours
from charrnn.pages.style import line, page
from charrnn.reporting.facts import Facts, flat


def comparison_page(runs: Sequence[Facts]) -> str:
    """Returns the page of several runs, each of which has a letter."""
    letters = [_letter(k) for k in range(len(runs))]
    named = list(zip(letters, runs, strict=True))
    each = "".join(
        f"<details><summary>{letter}: {line(facts.name)}</summary>\n{report.body(facts)}</details>\n"
        for letter, facts in named
    )
    charts = "".join(_chart(name, named) for name in _shared_scores(runs))
    if len(runs) > STYLES:
        charts += f'<p class="soft">Lines look alike again after {STYLES}: the letters tell them apart.</p>\n'
    body = (
        f"{_ranking(named)}<h2>Curves</h2>\n{charts}{_differences(named)}{_standings(named)}{_samples(named)}"
        f"<h2>Each run</h2>\n{each}{report.footer()}"
    )
    return page(f"{len(runs)} runs", "report", report.STYLE + colours(), body)


def _letter(k: int) -> str:
    """Returns A, B, ..., Z, A2, B2, ..."""
    again, place = divmod(k, 26)
    return string.ascii_uppercase[place] + (str(again + 1) if again else "")


def _shared_scores(runs: Sequence[Facts]) -> list[str]:
    """Returns the scores that several runs may be compared by: the loss first."""
    return list(dict.fromkeys(["nats", *(name for facts in runs for name in facts.history.scores())]))


def _chart(name: str, named: Sequence[tuple[str, Facts]]) -> str:
    title = "Validation loss" if name == "nats" else f"Validation {name.replace('_', ' ')}"
    drawn = [Line(facts.name, facts.scores(name), k, letter) for k, (letter, facts) in enumerate(named)]
    return Chart(title, drawn, "nats" if name == "nats" else "").draw()


def _ranking(named: Sequence[tuple[str, Facts]]) -> str:
    """Returns a table of the runs, the best above."""

    def place(one: tuple[str, Facts]) -> tuple[str, float]:
        facts = one[1]
        score = facts.best[1] if facts.best else math.inf
        better_first = -score if facts.best and facts.kind.higher_is_better else score
        return facts.kind.measure, better_first

    rows = [
        [
            f"<b>{letter}</b> {line(facts.name)}",
            facts.kind.measure.replace("_", " "),
            f"{facts.best[1]:.4f}" if facts.best else "",
            f"{facts.best[0]:,}" if facts.best and facts.best[0] is not None else "",
            f"{facts.iteration:,}",
            f"{facts.run.model.num_parameters:,}" if facts.run else "",
            tables.duration(facts.elapsed),
        ]
        for letter, facts in sorted(named, key=place)
    ]
    texts = {facts.run.corpus.sha256 for _, facts in named if facts.run}
    apart = " They learnt from different data, so that their scores do not compare." if len(texts) > 1 else ""
    head = ["run", "measure", "best", "at iteration", "iterations", "parameters", "time"]
    return tables.table(head, rows, f"The best on validation first.{apart}", text=(1,)) + "".join(
        f'<p class="note"><b>{letter}</b>: {line(note)}</p>\n' for letter, facts in named for note in facts.notes
    )


def _differences(named: Sequence[tuple[str, Facts]]) -> str:
    """Returns a table of the keys that are not the same in all runs, and of the data."""
    configs = [flat(facts.config) for _, facts in named]
    differing = [key for key in configs[0] if any(config[key] != configs[0][key] for config in configs)]
    rows = [[tables.code(key), *(tables.value_of(config[key]) for config in configs)] for key in differing]
    data = [facts.run.corpus if facts.run else None for _, facts in named]
    if len({corpus.sha256 for corpus in data if corpus}) > 1:
        told: list[Any] = [f"{line(corpus.name)}, sha256 {corpus.sha256[:12]}…" if corpus else "" for corpus in data]
        rows.append(["data", *told])
    if not rows:
        return "<h2>What differs</h2>\n<p>Nothing: configuration and data are the same.</p>\n"
    head = ["key", *(html.escape(letter) for letter, _ in named)]
    return "<h2>What differs</h2>\n" + tables.table(head, rows, text=tuple(range(1, len(head))))


def _standings(named: Sequence[tuple[str, Facts]]) -> str:
    """Returns, where all were validated on the same text, one table of baselines with every model in its place."""
    texts = [parts.standing(facts) for _, facts in named]
    if not texts[0] or any(found != texts[0] for found in texts):
        return ""
    own = [(f"{letter}: {facts.name}", facts.best[1] / math.log(2)) for letter, facts in named if facts.best]
    return "<h2>Beside baselines</h2>\n" + tables.bits_table(texts[0], own)


def _samples(named: Sequence[tuple[str, Facts]]) -> str:
    """Returns the last sample of each run, side by side."""
    found = "".join(parts.sample(f"{letter}: {facts.name}", facts.samples.lines[-1:]) for letter, facts in named)
    return f'<h2>Their last samples</h2>\n<div class="samples">{found}</div>\n' if found else ""
