"""`charrnn predict`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn import advice
from charrnn.cli import common
from charrnn.errors import ConfigError, DataError

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.tasks.answers import Answer
    from charrnn.text.corpus import Library

BLOCK = 2048
"""Inputs that are answered at a time: sorted by length, these are batches without much padding."""

MANY = 20
"""Different inputs from which on the same answer to all of them is suspicious."""

MOST_SHOWN = 1000
"""Answers of which a page shows at most what they looked at: the first."""

ROWS = 128
"""Inputs that are read side by side, more or less: they tell whether a second thread is worth it."""


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn predict`: a field for each option."""

    checkpoint: Path
    source: str
    encoding: str | None
    as_json: bool
    top: int | None
    beam: int | None
    heat: Path | None


@click.command("predict", short_help="Answer inputs, one a line.")
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT|RUN_DIR")
@click.argument("source", default="-", metavar="[FILE|-]")
@common.encoding_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout for each input.")
@click.option(
    "--top", type=click.IntRange(min=1), metavar="K", help="The K best answers to each input, of labels or of a beam."
)
@click.option(
    "--beam",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Search with the N best beginnings of an answer, for transduce [1].",
)
@click.option(
    "--heat",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Write a page with what each character of an answer looked at, for transduce with attention.",
)
def command(**options: Any) -> None:
    """Answer the inputs in FILE (or stdin), one a line, in their order, with a line for each.

    \b
    A run of classify   answers with the label, a tab, its probability
             tag        with the text, each character of which became another
             transduce  with the text that the input becomes
    Both have the escapes of a table of pairs.

    \b
    echo Kowalski | charrnn predict runs/names-1 --top 3
    """  # noqa: D301  # click wants the backspace itself
    from charrnn.runs.checkpoint import load
    from charrnn.text.inputs import read_inputs
    from charrnn.text.vocabulary import BYTES

    wanted = Options(**options)
    run = load(wanted.checkpoint)
    _refuse(run, wanted)
    common.invite([wanted.source], "one input a line; Ctrl-D after the last")
    encoding, newlines = run.config.data.encoding, run.config.data.newlines
    library = common.library_for(run, wanted.encoding)
    _refuse_a_word(library, wanted)
    task: Any = run.task
    column = task.columns[task.source_column]
    inputs = read_inputs(library, wanted.source, encoding, newlines, common.tell, column)
    codec = "latin-1" if encoding == BYTES and not wanted.as_json else "utf-8"
    seen, out = Seen(_comparison(run, wanted.checkpoint), _cut(run, wanted)), sys.stdout.buffer
    looked: list[Any] = []
    for answers in _answered(run, wanted, inputs):
        for answer in answers:
            line = common.to_json(answer.facts()) if wanted.as_json else answer.line()
            out.write(f"{line}\n".encode(codec))
            seen.add(answer)
            if wanted.heat and len(looked) < MOST_SHOWN:
                looked.append((answer.input, answer.text, answer.looks))
        out.flush()
    if wanted.heat:
        from charrnn.pages.grids import attention_page

        common.write_page(attention_page(wanted.source, looked), wanted.heat)
    for message in seen.warnings():
        common.say(f"charrnn: warning: {message}")


def _refuse(run: Run, wanted: Options) -> None:
    """Raises ConfigError for a run that answers no inputs, and for options that it has no use for."""
    if "predict" not in run.task.abilities:
        raise ConfigError(
            f"{wanted.checkpoint} has learnt the task {run.config.task.name}, which answers no inputs; "
            f"{run.task.invite(wanted.checkpoint)}"
        )
    for ability, value in {"top": wanted.top, "beam": wanted.beam}.items():
        if value is not None:
            common.require(run, ability, f"--{ability}")
    if wanted.top and wanted.beam and wanted.top > wanted.beam:
        raise ConfigError(f"--top {wanted.top} asks for more answers than --beam {wanted.beam} finds; raise --beam")
    common.refuse_to_overwrite(wanted.heat)
    if wanted.heat:
        common.require(run, "attention", "--heat")
        if run.config.model.context != "attention":
            raise ConfigError(
                f"--heat shows attention, and the run has none: its model.context is {run.config.model.context}; "
                f"leave it out"
            )


def _refuse_a_word(library: Library, wanted: Options) -> None:
    """Raises DataError for a source that is nowhere: perhaps it is an input itself."""
    if wanted.source not in ("-", *library.names()) and not Path(wanted.source).exists():
        ask = f"echo {advice.word(wanted.source)} | {advice.command('predict', wanted.checkpoint)}"
        raise DataError(f"{wanted.source}: no such file; if it is an input itself: {ask}")


def _cut(run: Run, wanted: Options) -> str:
    """Returns the command that answers the inputs in a table of pairs, or for standard input what they are cut with."""
    task: Any = run.task
    column = (run.config.data.columns or (1, 2))[task.source_column]
    if wanted.source == "-":
        return f"cut -f {column}"
    return f"cut -f {column} {advice.word(Path(wanted.source))} | {advice.command('predict', wanted.checkpoint)}"


def _comparison(run: Run, checkpoint: Path) -> str:
    """Returns the command that judges a run on what it was validated on, and with it what counting reaches there."""
    split = run.config.data.split[1] or run.config.data.validation
    return advice.command("eval", checkpoint, *run.corpus.as_typed, *["--split", "validation"] * bool(split))


def _answered(run: Run, wanted: Options, inputs: Iterator[str]) -> Iterator[Iterable[Any]]:
    """Yields the answers to some inputs at a time, in the order of the inputs."""
    from threadpoolctl import threadpool_limits

    from charrnn.cores import blas_threads

    task: Any = run.task
    options = {"top": wanted.top, "beam": wanted.beam, "looks": wanted.heat and True}
    asked = {name: value for name, value in options.items() if value is not None}
    with threadpool_limits(blas_threads(ROWS * run.model.step_product), user_api="blas"):
        while block := list(itertools.islice(inputs, BLOCK)):
            yield task.predict(run.model, run.weights, block, **asked)


@dataclass
class Seen:
    """Remembers of all answers what a user is warned of."""

    comparison: str
    """The command that compares the run with what needs no network."""
    cut: str
    """What gives the inputs alone of a table of pairs."""
    inputs: int = 0
    strange: int = 0
    """Inputs with characters that were never seen in training."""
    unknown: int = 0
    """How many such characters there are in all."""
    rows: int = 0
    """Inputs with a tab and with something unknown, as the rows of a table of pairs have."""
    different: set[str] = field(default_factory=set)
    """Some of the inputs: as many different ones as matter."""
    first: str | None = None
    alike: bool = True
    """Whether all answers equal the first."""
    unended: int = 0
    """Answers that the model did not end."""

    def add(self, answer: Answer) -> None:
        """Takes note of an answer."""
        self.inputs += 1
        self.strange += answer.unknown > 0
        self.unknown += answer.unknown
        self.rows += answer.unknown > 0 and "\t" in answer.input
        self.unended += not answer.ended
        if len(self.different) < MANY:
            self.different.add(answer.input)
        self.first = answer.answer if self.first is None else self.first
        self.alike = self.alike and answer.answer == self.first

    def warnings(self) -> Iterator[str]:
        """Yields what a user should know, a line each."""
        if self.unknown:
            yield (
                f"characters never seen in training, and read as unknown: {self.unknown:,}, in {self.strange:,} of "
                f"{self.inputs:,} inputs"
            )
        if self.rows and self.rows == self.inputs:
            yield f"each input has a tab, as a row of pairs has; give the inputs alone: {self.cut}"
        if self.unended:
            yield f"answers that did not end, and were cut off: {self.unended:,} of {self.inputs:,}; --json says which"
        if self.alike and len(self.different) == MANY:
            yield (
                f"all {self.inputs:,} answers are {self.first!r}, whatever the input; the model may have learnt "
                f"nothing of the inputs: train it longer, or compare it with what counting reaches: {self.comparison}"
            )
