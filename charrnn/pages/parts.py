"""The parts of a report: what is said of one run, each under a heading of its own."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from charrnn.pages.curves import Chart, Line
from charrnn.pages.style import line, lines
from charrnn.pages.tables import bits_table, code, decimal, duration, table, value_of, words
from charrnn.reporting.facts import Facts, flat

MOST_SAMPLES = 12
"""Samples that are shown; of more, some that are spread over the training."""

MOST_ROWS = 1000
"""Evaluations that a table lists."""


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
            decimal(entry.get("epoch"), 2),
            decimal(entry.get("train_nats")),
            *(decimal(entry.get(f"val_{name}")) for name in names),
            duration(entry.get("elapsed_s")),
        ]
        for entry in shown
    ]
    return f"<details><summary>All {len(found):,} evaluations as a table</summary>\n{table(head, rows)}</details>\n"


def samples(facts: Facts) -> str:
    """Returns what the model wrote while it learnt, the first above and the last below."""
    found = [entry for entry in facts.samples.lines if isinstance(entry.get("text"), str)]
    if not found:
        return _fresh(facts)
    last, most = len(found) - 1, MOST_SAMPLES - 1
    # Of many, more of the first ones than of the last, since most is learnt at the beginning.
    places = sorted({round(last * (k / most) ** 1.5) for k in range(MOST_SAMPLES)} if last > most else range(last + 1))
    articles = "".join(sample("", [found[k]]) for k in places)
    said = "What the model wrote" if "predict" not in facts.kind.abilities else "What the model answered"
    of_all = f" {len(places)} of {len(found):,} are shown." if len(places) < len(found) else ""
    return (
        f'<h2>Samples</h2>\n<p class="soft">{said} as it learnt.{of_all}</p>\n<div class="samples">{articles}</div>\n'
    )


def _fresh(facts: Facts) -> str:
    """Returns what the model writes now, where it wrote nothing before."""
    if facts.fresh is None or facts.run is None:
        return ""
    here, best = facts.run.iteration, facts.best
    others = f", and not with the best, those of {best[0]:,}" if best and best[0] not in (None, here) else ""
    how = "With train.sample_every, a model writes while it learns."
    said = f"Written now with the weights of iteration {here:,}{others}. {how}"
    written = sample("", [{"iteration": here, "text": facts.fresh}])
    return f'<h2>Samples</h2>\n<p class="soft">{said}</p>\n<div class="samples">{written}</div>\n'


def sample(name: str, entries: Sequence[dict[str, Any]]) -> str:
    """Returns what was written at an iteration, under a heading; nothing where there is none."""
    found = [entry for entry in entries if isinstance(entry.get("text"), str)]
    if not found:
        return ""
    (entry,) = found
    loss = decimal(entry.get("val_nats"))
    iteration = f"{'iteration' if name else 'Iteration'} {entry['iteration']:,}"
    said = [name, iteration, loss and f"validation loss {loss}"]
    heading = line(", ".join(filter(None, said)))
    return f'<section><h3>{heading}</h3>\n<pre dir="auto">{lines(entry["text"])}</pre></section>\n'


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


def _of_items(facts: Facts) -> str:
    names = [
        name for name in facts.kind.in_words if any(name in s for s in (*facts.baselines.values(), facts.best_scores))
    ]
    rows = [["<b>this model</b>", *(f"<b>{decimal(facts.best_scores.get(name))}</b>" for name in names)]]
    rows += [
        [html.escape(words(name)), *(decimal(scores.get(score)) for score in names)]
        for name, scores in facts.baselines.items()
    ]
    head = ["what", *(html.escape(name.replace("_", " ")) for name in names)]
    return "<h2>Beside baselines</h2>\n" + table(head, rows, "All on the same validation part.")


def configuration(facts: Facts) -> str:
    """Returns all keys with their values, those first that are not as they are by default."""
    changed, everything = facts.changed(), flat(facts.config)
    rows = [[code(key), value_of(now), value_of(before)] for key, (now, before) in changed.items()]
    rest = [[code(key), value_of(value)] for key, value in everything.items() if key not in changed]
    first = table(["key", "value", "default"], rows, text=(1, 2)) if rows else "<p>All keys are as by default.</p>\n"
    others = table(["key", "value"], rest, text=(1,))
    summary = f"<summary>{len(rest)} keys that are as by default</summary>"
    return f"<h2>Configuration</h2>\n{first}<details>{summary}\n{others}</details>\n"


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
