"""`charrnn eval`."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli import common
from charrnn.errors import ConfigError, DataError, one_line

if TYPE_CHECKING:
    from charrnn.runs.run import Run


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn eval`: a field for each option."""

    checkpoint: Path
    source: str
    split: str | None
    encoding: str | None
    as_json: bool
    beam: int | None
    heat: Path | None
    confusion: Path | None


@click.command("eval", short_help="Measure how good a model is on a text, or on pairs.")
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT|RUN_DIR")
@click.argument("source", metavar="TEXT|PAIRS")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Only this part of it, cut as the run's configuration says; what baselines reach on it is told too.",
)
@common.encoding_option
@common.json_option
@click.option("--beam", type=click.IntRange(1, 1000), metavar="N", help="Search with a beam, for transduce [1].")
@click.option(
    "--heat",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Write the text with each character coloured by its surprise, for language models.",
)
@click.option(
    "--confusion",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE.html|-",
    help="Write a page with which label was taken for which, for classify; '-' for stdout, and nothing else.",
)
def command(**options: Any) -> None:
    """Measure how well a model predicts a text, or answers pairs: a file, '-' for stdin, or the name of a corpus.

    Of a text, the first character is read but not counted, since nothing comes before it. Where a source has several
    targets, any of them is right.

    \b
    charrnn eval runs/harbour-1 harbour --split validation
    charrnn eval runs/names-1 names.tsv --split test --confusion confusion.html
    """  # noqa: D301  # click wants the backspace itself
    from charrnn.runs.checkpoint import load
    from charrnn.tasks.base import Batching
    from charrnn.text.origin import origin_of

    wanted = Options(**options)
    run = load(wanted.checkpoint)
    _refuse(run, wanted)
    task, data, train = run.task, run.config.data, run.config.train
    assert train.seed is not None, "a run has one"
    batching = Batching(train.batch_size, train.seq_length, train.seed, None)
    if wanted.split is None:  # other files have no part in it
        data = dataclasses.replace(data, validation=None, test=None)
    examples = task.read(common.library_for(run, wanted.encoding), [wanted.source], data)
    if wanted.split and "chance" in task.abilities and examples.sha256 != run.corpus.sha256:
        raise DataError(
            f"{examples.name} is not the file of this run, {run.corpus.name}, as it was: its {wanted.split} part may "
            f"have what was trained on; give that file, or leave out --split"
        )
    part = task.part(examples, data, batching, wanted.split)
    asked = {"beam": wanted.beam} if wanted.beam else {}
    common.tell(origin_of(examples).notes)
    report = task.report(run.model, run.weights, part, **asked)
    if wanted.split:
        report["baselines"] = task.baselines(examples, data, batching, wanted.split)
    _write_pages(run, wanted, part, report, examples.name)
    if str(wanted.confusion) == "-":
        return
    if wanted.as_json:
        common.print_json(report)
    else:
        _print(run, report, examples.name)


def _refuse(run: Run, wanted: Options) -> None:
    """Raises ConfigError for what the run has no use for, and for two things that would share stdout."""
    asked = {"beam": ("--beam", wanted.beam), "surprise": ("--heat", wanted.heat)}
    asked["confusion"] = ("--confusion", wanted.confusion)
    for ability, (option, value) in asked.items():
        if value is not None:
            common.require(run, ability, option)
    common.refuse_to_overwrite(wanted.heat)
    common.refuse_to_overwrite(wanted.confusion if str(wanted.confusion) != "-" else None)
    if wanted.as_json and str(wanted.confusion) == "-":
        raise ConfigError("--json and --confusion - would both be on stdout; name a file for the page")


def _print(run: Run, report: dict[str, Any], name: str) -> None:
    """Prints a line for each score, and one for each baseline."""
    for score, words in run.task.in_words.items():
        click.echo(f"{report[score]:.4f} {words}")
    click.echo(f"over {run.task.extent(report)} of {one_line(name)}")
    for baseline, scores in report.get("baselines", {}).items():
        told = ", ".join(f"{score.replace('_', ' ')} {value:.4f}" for score, value in scores.items())
        click.echo(f"baseline, {baseline.replace('_', ' ')}: {told}")


def _write_pages(run: Run, wanted: Options, part: Any, report: dict[str, Any], name: str) -> None:
    """Writes the pages that are asked for."""
    if wanted.heat:
        from charrnn.cli import heat
        from charrnn.judging.evaluation import Score, nats_of_characters

        nats = nats_of_characters(run.model, run.weights, part.streams)  # type: ignore[arg-type]
        score = Score(report["nats_per_char"], report["chars"], report["bytes"])
        common.write_page(heat.page(name, "".join(part.predicted()), nats, score), wanted.heat)
    if wanted.confusion:
        import numpy as np

        from charrnn.cli.pages import confusion_page

        page = confusion_page(name, report["labels"], np.array(report["confusion"]))
        if str(wanted.confusion) == "-":
            sys.stdout.buffer.write(page.encode("utf-8", "backslashreplace"))
        else:
            common.write_page(page, wanted.confusion)
