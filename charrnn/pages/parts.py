"""The parts of a report: what is said of one run, each under a heading of its own."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from charrnn.pages.curves import Chart, Line
from charrnn.pages.style import line, lines
from charrnn.reporting.facts import Facts, flat

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68em; margin: 0 auto; padding: 1.5em 1.2em 3em }
h1 { font-size: 1.7em; margin: .3em 0 .1em }
h2 { font-size: 1.2em; margin: 2.2em 0 .7em; padding-top: .7em; border-top: 1px solid var(--line) }
h3 { font-size: 1em; margin: 1.4em 0 .4em }
p { max-width: 46em; margin: .5em 0 }
.soft, small { color: var(--soft) }
code, pre, .mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em; overflow-wrap: anywhere }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5em, 1fr)); gap: .7em; margin: 1.2em 0;
         padding: 0 }
.tiles div { background: var(--tint); border-radius: 6px; padding: .6em .8em }
.tiles dt { color: var(--soft); font-size: .85em }
.tiles dd { margin: 0; font-size: 1.3em; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.tiles dd small { display: block; font-size: .62em; font-weight: 400 }
.note { border-left: 4px solid var(--warm); padding: .1em .9em; margin: .8em 0; max-width: 46em }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19em, 100%), 1fr)); gap: 0 2.2em }
.wide { overflow-x: auto; margin: .6em 0 1em }
table { border-collapse: collapse; font-size: .92em; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); padding: 0 0 .5em; max-width: 46em }
th, td { text-align: right; padding: .28em .8em; border-bottom: 1px solid var(--line); vertical-align: baseline }
th:first-child, td.text, th.text { text-align: left }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap }
tbody th { font-weight: 400 }
tr.own th, tr.own td { font-weight: 700; background: var(--tint) }
td.bar { width: 38%; min-width: 6em; padding-right: 0 }
td.bar span { display: block; height: .75em; border-radius: 2px; background: var(--soft); opacity: .55 }
tr.own td.bar span { background: var(--accent); opacity: 1 }
pre { background: var(--tint); border-radius: 6px; padding: .7em .9em; margin: .2em 0 0; white-space: pre-wrap; line-height: 1.4 }
.samples { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr)); gap: 1em 1.4em }
.samples h3 { margin: 0; font-weight: 500; color: var(--soft); font-size: .9em }
details { margin: .8em 0 }
summary { cursor: pointer; color: var(--accent) }
a { color: var(--accent) }
footer { margin-top: 3em; color: var(--soft); font-size: .88em }
@media print { h2 { break-after: avoid } figure, .tiles, pre, tr { break-inside: avoid } }
"""

MOST_SAMPLES = 12
"""Samples that are shown; of more, some that are spread over the training."""

MOST_ROWS = 1000
"""Evaluations that a table lists."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", text: Sequence[int] = ()) -> str:
    """Returns a table of HTML cells whose first column has the headings of the rows; columns in `text` are texts."""
    across = "".join(f'<th scope="col"{_text(k in text)}>{cell}</th>' for k, cell in enumerate(head))
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td{_text(k in text)}>{c}</td>" for k, c in enumerate(row[1:], 1))}'
        "</tr>"
        for row in rows
    )
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


def notes(facts: Facts) -> str:
    """Returns what could not be had, if there is anything."""
    return "".join(f'<p class="note">{line(note)}</p>\n' for note in facts.notes)


def loss_chart(facts: Facts, levels: Sequence[tuple[str, float]] = ()) -> str:
    """Returns the curves of the training and the validation loss."""
    best = facts.best if facts.kind.measure == "nats" else None
    return Chart(
        "Loss",
        [
            Line("training", facts.history.points("train_nats"), 1),
            Line("validation", facts.scores("nats"), 0),
        ],
        "nats per answer" if facts.kind.measure != "nats" else "nats per character",
        (best[0], best[1]) if best and best[0] is not None else None,
        levels,
    ).draw()


def score_charts(facts: Facts) -> str:
    """Returns a curve for each other score of the task."""
    best = facts.best
    charts = [
        Chart(
            f"Validation {name.replace('_', ' ')}",
            [Line(name, facts.scores(name), 0)],
            best=(best[0], best[1]) if best and best[0] is not None and name == facts.kind.measure else None,
            small=True,
        ).draw()
        for name in facts.history.scores()
        if name != "nats"
    ]
    return "".join(charts)


def course_charts(facts: Facts) -> str:
    """Returns the curves of what training did meanwhile: rate, gradient and speed."""
    points = facts.history.points
    charts = [
        Chart("Learning rate", [Line("learning rate", points("learning_rate"), 2)], small=True),
        Chart(
            "Gradient norm",
            [Line("gradient norm", points("grad_norm"), 3)],
            "before clipping, logarithmic",
            logarithmic=True,
            small=True,
        ),
        Chart("Speed", [Line("speed", points("chars_per_s"), 5)], "characters a second", small=True),
    ]
    return "".join(chart.draw() for chart in charts)


def evaluations(facts: Facts) -> str:
    """Returns the table of what the curves show at each evaluation."""
    names = facts.history.scores()
    found = [entry for entry in facts.history.lines if any(f"val_{name}" in entry for name in names)]
    if not found:
        return ""
    shown = found[:: -(-len(found) // MOST_ROWS)]
    head = ["iteration", "epoch", "training loss", *(f"validation {name.replace('_', ' ')}" for name in names), "time"]
    rows = [
        [
            f"{entry['iteration']:,}",
            _decimal(entry.get("epoch"), 2),
            _decimal(entry.get("train_nats")),
            *(_decimal(entry.get(f"val_{name}")) for name in names),
            duration(entry.get("elapsed_s")),
        ]
        for entry in shown
    ]
    return f"<details><summary>All {len(found):,} evaluations as a table</summary>\n{table(head, rows)}</details>\n"


def samples(facts: Facts) -> str:
    """Returns what the model wrote while it learnt, the first above and the last below."""
    found = [entry for entry in facts.samples.lines if isinstance(entry.get("text"), str)]
    if not found:
        return ""
    count = min(len(found), MOST_SAMPLES)
    # More of the first ones than of the last, since most is learnt at the beginning.
    places = sorted({round((len(found) - 1) * (k / max(count - 1, 1)) ** 1.5) for k in range(count)})
    articles = "".join(
        f"<section><h3>Iteration {found[k]['iteration']:,}{_loss_of(found[k])}</h3>\n"
        f'<pre dir="auto">{lines(found[k]["text"])}</pre></section>\n'
        for k in places
    )
    said = "What the model wrote" if "predict" not in facts.kind.abilities else "What the model answered"
    of_all = f" {len(places)} of {len(found):,} are shown." if len(places) < len(found) else ""
    return (
        f'<h2>Samples</h2>\n<p class="soft">{said} as it learnt.{of_all}</p>\n<div class="samples">{articles}</div>\n'
    )


def _loss_of(entry: dict[str, Any]) -> str:
    loss = _decimal(entry.get("val_nats"))
    return f", validation loss {loss}" if loss else ""


def baselines(facts: Facts) -> str:
    """Returns the table of what is reached without a network, with the model in its place."""
    if not facts.baselines:
        return ""
    is_text = facts.kind.measure == "nats"
    return _of_text(facts) if is_text else _of_items(facts)


def standing(facts: Facts) -> list[tuple[str, float]]:
    """Returns the bits per character of each baseline."""
    return [(name, scores["bits_per_char"]) for name, scores in facts.baselines.items() if "bits_per_char" in scores]


def _of_text(facts: Facts) -> str:
    own = [("this model", facts.best[1] / math.log(2))] if facts.best else []
    return "<h2>Beside baselines</h2>\n" + bits_table(standing(facts), own)


def bits_table(found: list[tuple[str, float]], own: list[tuple[str, float]]) -> str:
    """Returns a table of bits per character, the fewest first; what is in `own` stands out."""
    ranked = sorted(
        [*((name, bits, False) for name, bits in found), *((*one, True) for one in own)], key=lambda r: r[1]
    )
    most = max(bits for _, bits, _ in ranked)
    rows = "\n".join(
        f'<tr{" class=own" if is_own else ""}><th scope="row">{html.escape(words(name))}</th><td>{bits:.3f}</td>'
        f'<td>{bits * math.log(2):.3f}</td><td class="bar"><span style="width:{100 * bits / most:.1f}%"></span></td></tr>'
        for name, bits, is_own in ranked
    )
    return (
        '<div class="wide"><table><caption>All on the same validation text; fewer bits are better. N-grams fall back on '
        "shorter ones (Witten and Bell) and learn from the training part, from at most 4,194,304 characters of it. "
        "Compressors make what they make of the validation text alone, or need so much more for it after the same "
        "training text.</caption>"
        '<thead><tr><th scope="col">what</th><th scope="col">bits per character</th><th scope="col">nats</th>'
        '<th scope="col" class="text">beside the others</th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>\n"
    )


def _of_items(facts: Facts) -> str:
    names = [
        name for name in facts.kind.in_words if any(name in s for s in (*facts.baselines.values(), facts.best_scores))
    ]
    rows = [["<b>this model</b>", *(f"<b>{_decimal(facts.best_scores.get(name))}</b>" for name in names)]]
    rows += [
        [html.escape(words(name)), *(_decimal(scores.get(score)) for score in names)]
        for name, scores in facts.baselines.items()
    ]
    head = ["what", *(html.escape(name.replace("_", " ")) for name in names)]
    return "<h2>Beside baselines</h2>\n" + table(head, rows, "All on the same validation part.")


def words(name: str) -> str:
    """Returns the name of a baseline as people say it."""
    if name.endswith("_grams") and name[0].isdigit():
        return f"{name[0]}-grams"
    if name.endswith("_after_training"):
        return f"{name.removesuffix('_after_training')}, after the training text"
    alone = ", the validation text alone" if name in ("gzip", "bz2", "xz") else ""
    return f"{name.replace('_', ' ')}{alone}"


def configuration(facts: Facts) -> str:
    """Returns all keys with their values, those first that are not as they are by default."""
    changed, everything = facts.changed(), flat(facts.config)
    rows = [[code(key), value_of(now), value_of(before)] for key, (now, before) in changed.items()]
    rest = [[code(key), value_of(value)] for key, value in everything.items() if key not in changed]
    first = table(["key", "value", "default"], rows, text=(1, 2)) if rows else "<p>All keys are as by default.</p>\n"
    others = f"<details><summary>{len(rest)} keys that are as by default</summary>\n{table(['key', 'value'], rest, text=(1,))}"
    return f"<h2>Configuration</h2>\n{first}{others}</details>\n"


def origin(facts: Facts) -> str:
    """Returns what was learnt from, and what computed it."""
    run = facts.run
    if run is None:
        return ""
    data = {"data": run.corpus.name, "bytes": f"{run.corpus.size:,}", "sha256": run.corpus.sha256}
    known = {key: value for key, value in run.task.facts().items() if isinstance(value, int | str)}
    described = {**data, **known, **run.environment, "parameters": f"{run.model.num_parameters:,}"}
    rows = [[html.escape(key), f'<span class="mono">{line(str(value))}</span>'] for key, value in described.items()]
    return f"<h2>Data and environment</h2>\n{table(['what', 'value'], rows, text=(1,))}"


def code(text: str) -> str:
    """Returns a text in the letters of code."""
    return f"<code>{html.escape(text)}</code>"


def value_of(value: Any) -> str:
    """Returns the value of a key as it is written in a configuration."""
    return code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _decimal(value: Any, decimals: int = 4) -> str:
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
