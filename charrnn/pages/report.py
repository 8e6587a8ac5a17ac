"""The page of one run: curves, baselines, samples, configuration, and what computed it."""

from __future__ import annotations

import math

from charrnn.pages import curves, parts, sheet, tables
from charrnn.pages.style import line, page
from charrnn.reporting.facts import Facts
from charrnn.version import __version__

STYLE = sheet.STYLE + curves.STYLE


def report_page(facts: Facts) -> str:
    """Returns the page of a run."""
    return page(facts.name, "report", STYLE + curves.colours(), body(facts) + footer())


def body(facts: Facts) -> str:
    """Returns what the page of a run says."""
    levels = [(tables.words(name), nats) for name, nats in _levels(facts)]
    charts = parts.loss_chart(facts, levels)
    small = parts.score_charts(facts) + parts.course_charts(facts)
    return (
        f'<p class="soft">{summary(facts)}</p>\n{tables.tiles(highlights(facts))}{parts.notes(facts)}'
        f'{f"<h2>Curves</h2>{charts}" if charts or small else ""}<div class="charts">{small}</div>'
        f"{parts.evaluations(facts)}{parts.baselines(facts)}{parts.samples(facts)}{parts.configuration(facts)}"
        f"{parts.origin(facts)}"
    )


def footer() -> str:
    """Returns who wrote the page."""
    return f"<footer>Written by charrnn {__version__}.</footer>\n"


def summary(facts: Facts) -> str:
    """Says in a line what was learnt with which network."""
    m = facts.config.model
    network = f"{m.cell}, {m.num_layers} layer{'s' * (m.num_layers > 1)} of {m.hidden_size}"
    learnt = f" from {line(facts.run.corpus.name)}" if facts.run else ""
    return f"{facts.config.task.name.replace('_', ' ')}{learnt}; {network}"


def highlights(facts: Facts) -> list[tuple[str, str, str]]:
    """Returns what a reader wants to know first: what it is, its value, and more of it."""
    found = []
    if facts.best:
        iteration, score = facts.best
        at = f"at iteration {iteration:,}" if iteration is not None else ""
        if facts.kind.measure == "nats":
            bits = f"{score / math.log(2):.4f} bits per character"
            found.append(("best validation loss", f"{score:.4f} nats", f"{bits}{f', {at}' if at else ''}"))
        else:
            found.append((f"best validation {facts.kind.measure.replace('_', ' ')}", f"{score:.4f}", at))
    total = facts.config.train.iterations
    epoch = facts.history.last("epoch")
    passes = f"{epoch:.2f} epochs" if epoch is not None else ""
    found.append(("iterations", f"{facts.iteration:,}", f"of {total:,}; {passes}" if total else passes))
    if facts.history.lines:
        found.append(("time", tables.duration(facts.elapsed), ""))
        speed = [value for _, value in facts.history.points("chars_per_s") if value > 0]
        if speed:
            found.append(("speed", f"{sorted(speed)[len(speed) // 2]:,.0f}", "characters a second, median"))
    if facts.run:
        found.append(("parameters", f"{facts.run.model.num_parameters:,}", ""))
    for key, told in (("skipped", "batches skipped"), ("rollbacks", "rollbacks")):
        if count := facts.history.last(key, 0):
            found.append((told, f"{count:,}", ""))
    return found


def _levels(facts: Facts) -> list[tuple[str, float]]:
    """Returns the best of the n-grams, and of the compressors, to be drawn beside the curves."""
    found = {name: scores["nats_per_char"] for name, scores in facts.baselines.items() if "nats_per_char" in scores}
    kinds = ([n for n in found if n.endswith("_grams")], [n for n in found if n.endswith("_after_training")])
    best = [min(names, key=lambda name: found[name]) for names in kinds if names]
    return [(name, found[name]) for name in best]
