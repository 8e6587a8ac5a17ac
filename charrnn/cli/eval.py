"""`charrnn eval`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli import adapting, common
from charrnn.errors import ConfigError, DataError

if TYPE_CHECKING:
    from charrnn.judging.dynamic import Adapting
    from charrnn.judging.surprise import SurprisingPlace
    from charrnn.runs.judgement import Judgement
    from charrnn.runs.run import Run


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn eval`: a field for each option."""

    checkpoint: Path
    sources: tuple[str, ...]
    split: str | None
    encoding: str | None
    as_json: bool
    unknown: str
    lines: bool
    surprising: int | None
    heat: Path | None
    confusion: Path | None
    beam: int | None
    dynamic: Adapting | None

    @property
    def paths(self) -> list[Path | str]:
        """The sources as they are typed in a command: a file whose name begins with a dash is no option."""
        return [source if source == "-" else Path(source) for source in self.sources]

    def others(self) -> list[object]:
        """The options as they are typed, but for what to do about unknown characters."""
        values: dict[str, object] = {
            "--split": self.split,
            "--encoding": self.encoding,
            "--surprising": self.surprising,
        }
        pages = {"--heat": self.heat, "--confusion": self.confusion}
        values |= {option: "-" if str(page) == "-" else page for option, page in pages.items()} | {"--beam": self.beam}
        given = [word for option, value in values.items() if value is not None for word in (option, value)]
        given += adapting.typed(self.dynamic)
        return given + ["--lines"] * self.lines + ["--json"] * self.as_json

    @property
    def on_stdout(self) -> list[str]:
        """What is asked for that must have stdout for itself."""
        pages = {"--heat -": str(self.heat) == "-", "--confusion -": str(self.confusion) == "-"}
        asked = {"--json": self.as_json, "--lines": self.lines and not self.as_json, **pages}
        asked["--surprising"] = self.surprising is not None and not self.as_json
        return [option for option, is_asked in asked.items() if is_asked]


@click.command("eval", short_help="Measure how good a model is on a text, or on pairs.")
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT|RUN_DIR")
@click.argument("sources", nargs=-1, required=True, metavar="TEXT|PAIRS...")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Only this part of it, cut as the run's configuration says; what baselines reach on it is told too.",
)
@common.encoding_option
@common.json_option
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with characters that a language model never saw; skipped ones are neither read nor scored.",
)
@click.option(
    "--lines",
    is_flag=True,
    help="List each line, document or item: its nats, nats per character, number and text, with tabs between.",
)
@click.option(
    "--surprising",
    type=click.IntRange(min=1),
    metavar="N",
    help="List the N most surprising places too, and what the model expected there, for language models.",
)
@click.option(
    "--heat",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE.html|-",
    help="Write the text with each character coloured by its surprise, for language models; '-' for the terminal, "
    "in colours in a pipe too (less -R shows them), or with NO_COLOR=1 in digits.",
)
@click.option(
    "--confusion",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE.html|-",
    help="Write a page with which label was taken for which, for classify; '-' for stdout, and nothing else.",
)
@click.option("--beam", type=click.IntRange(1, 1000), metavar="N", help="Search with a beam, for transduce [1].")
@adapting.options("Tell also how well the model does if it goes on learning from what it has scored; the run stays.")
def command(**options: Any) -> None:
    """Measure how well a model predicts a text, or answers pairs: a file, '-' for stdin, or the name of a corpus.

    Of a text, the first character is read but not counted, since nothing comes before it. Where a source has several
    targets, any of them is right. Of several texts each is measured, and then all; with --split they are one, as in
    training.

    \b
    charrnn eval runs/harbour-1 harbour --split validation --dynamic
    charrnn eval runs/harbour-1 letters.txt --lines --unknown skip | sort -rn -k 2 | head
    charrnn eval runs/names-1 names.tsv --split test --confusion confusion.html
    """  # noqa: D301  # click wants the backspace itself
    from charrnn.runs.checkpoint import load
    from charrnn.runs.judgement import joint_report
    from charrnn.text.origin import listed

    wanted = Options(dynamic=adapting.chosen(options), **options)
    run = load(wanted.checkpoint)
    _refuse(run, wanted)
    sources = listed(wanted.sources)
    groups = [list(sources)] if wanted.split else [[source] for source in sources]
    common.invite(sources)
    judged = [_judge(run, wanted, sources) for sources in groups]
    total = joint_report(judged, **_asked(wanted))
    name = judged[0].name if len(judged) == 1 else f"{len(judged)} texts"
    _write_pages(wanted, judged, total, name)
    if wanted.as_json:
        common.print_json(total | _found(wanted, judged))
    elif wanted.lines:
        _print_lines(run, judged)
        common.say(f"over {run.task.extent(total)} of {name}")
    elif not wanted.on_stdout or wanted.surprising:
        _print(run, wanted, judged, total)


def _refuse(run: Run, wanted: Options) -> None:
    """Raises ConfigError for what the run has no use for, and for two things that would share stdout."""
    asked = {"beam": ("--beam", wanted.beam), "confusion": ("--confusion", wanted.confusion)}
    for ability, (option, value) in asked.items():
        if value is not None:
            common.require(run, ability, option)
    if wanted.dynamic:
        common.require(run, "dynamic", "--dynamic")
        adapting.refuse({"--lines": wanted.lines, "--surprising": wanted.surprising, "--heat": wanted.heat})
    if wanted.lines or len(wanted.sources) > 1:
        common.require(run, "lines", "--lines" if wanted.lines else "more than one text")
    for option, value in (("--heat", wanted.heat), ("--surprising", wanted.surprising)):
        if value is not None:
            common.require(run, "surprise", option)
    if wanted.unknown == "skip" and "skip" not in run.task.abilities:
        raise ConfigError(
            f"--unknown skip: a run of the task {run.config.task.name} reads what it never saw as unknown, and skips "
            f"nothing; leave it out"
        )
    for path in (wanted.heat, wanted.confusion):
        common.refuse_to_overwrite(path if str(path) != "-" else None)
    if len(wanted.on_stdout) > 1:
        one, other = wanted.on_stdout[:2]
        is_page = other.endswith("-") or one.endswith("-")
        raise ConfigError(
            f"{one} and {other} would both be on stdout; "
            f"{'name a file for the page' if is_page else 'leave one of them out, or give --json'}"
        )


def _judge(run: Run, wanted: Options, sources: Sequence[str]) -> Judgement:
    """Reads one text, or several as one, and measures the model on it; says what was skipped."""
    from charrnn import advice
    from charrnn.runs.judgement import judge
    from charrnn.text.vocabulary import UnknownCharacters, describe

    skip = wanted.unknown == "skip"
    try:
        judged = judge(run, common.library_for(run, wanted.encoding), sources, wanted.split, skip, **_asked(wanted))
    except UnknownCharacters as error:
        typed = advice.command("eval", wanted.checkpoint, *wanted.paths, *wanted.others(), "--unknown", "skip")
        raise DataError(f"{error.place}: the model never saw {error.described}; to score the rest: {typed}") from error
    common.tell(judged.notes)
    if skip and judged.part.skipped:
        number = "1 character" if judged.part.skipped == 1 else f"{judged.part.skipped:,} characters"
        described = describe(judged.part.strange, run.config.data.encoding)
        common.say(f"{judged.name}: skipped {number} that the model never saw: {described}")
    return judged


def _asked(wanted: Options) -> dict[str, Any]:
    """Returns what a report is asked for besides."""
    asked = {"beam": wanted.beam, "dynamic": wanted.dynamic}
    return {name: value for name, value in asked.items() if value}


def _worst(judged: Sequence[Judgement], count: int) -> list[tuple[str, SurprisingPlace]]:
    """Returns the most surprising places of all texts, each with the name of its text where there are several."""
    found = [(_told(one, judged), place) for one in judged for place in one.most_surprising(count)]
    return sorted(found, key=lambda pair: -pair[1].surprise)[:count]


def _told(one: Judgement, judged: Sequence[Judgement]) -> str:
    """Returns the name of a text where it has to be told."""
    return one.name if len(judged) > 1 else ""


def _found(wanted: Options, judged: Sequence[Judgement]) -> dict[str, Any]:
    """Returns what is told in JSON beside the report on all: reports, lines and places."""
    found: dict[str, Any] = {}
    if len(judged) > 1:
        found["texts"] = [{"name": one.name, **one.report} for one in judged]
    if wanted.lines:
        found["lines"] = [_named(_told(one, judged), line.facts()) for one in judged for line in one.lines()]
    if wanted.surprising:
        found["surprising"] = [_named(name, place.facts()) for name, place in _worst(judged, wanted.surprising)]
    return found


def _named(file: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {**({"file": file} if file else {}), **facts}


def _print_lines(run: Run, judged: Sequence[Judgement]) -> None:
    """Prints the loss of each line to stdout, in the model's symbols."""
    from charrnn.cli import listing
    from charrnn.text.vocabulary import BYTES

    codec = "latin-1" if run.config.data.encoding == BYTES else "utf-8"
    for one in judged:
        for line in one.lines():
            text = listing.line(line, _told(one, judged))
            sys.stdout.buffer.write(f"{text}\n".encode(codec, "backslashreplace"))
    sys.stdout.buffer.flush()


def _print(run: Run, wanted: Options, judged: Sequence[Judgement], total: dict[str, Any]) -> None:
    """Prints a line for each score, or for each text, and the most surprising places."""
    from charrnn.cli import listing

    if len(judged) == 1:
        lines = [*listing.report_lines(run.task, total, judged[0].name)]
    else:
        lines = [*listing.table(run.task, [*(one.report for one in judged), total], [*(j.name for j in judged), "all"])]
    if wanted.surprising:
        lines += ["", *listing.places(_worst(judged, wanted.surprising))]
    for line in lines:
        click.echo(line)


def _write_pages(wanted: Options, judged: Sequence[Judgement], total: dict[str, Any], name: str) -> None:
    """Writes the pages that are asked for."""
    if wanted.heat:
        from charrnn.cli import heat_terminal
        from charrnn.judging.evaluation import Score
        from charrnn.pages import heat

        score = Score(total["nats_per_char"], total["chars"], total["bytes"])
        shown = [heat.Shown(one.name, one.passages) for one in judged]
        if str(wanted.heat) == "-":
            width = shutil.get_terminal_size().columns
            for line in heat_terminal.lines(shown, score, heat_terminal.wants_colours(), width):
                common.put(f"{line}\n")
        else:
            common.write_page(heat.page(name, shown, score), wanted.heat)
    if wanted.confusion:
        import numpy as np

        from charrnn.pages.grids import confusion_page

        page = confusion_page(name, total["labels"], np.array(total["confusion"]))
        if str(wanted.confusion) == "-":
            common.put(page)
        else:
            common.write_page(page, wanted.confusion)
