"""`charrnn sweep`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn import advice
from charrnn.cli import common, signals
from charrnn.cli.sweep_display import SweepDisplay
from charrnn.config.resolve import Setting
from charrnn.errors import CharrnnError, ConfigError, DataError, Interrupted, one_line
from charrnn.nearness import nearest_file

if TYPE_CHECKING:
    from charrnn.sweeping.capacity import Capacity
    from charrnn.sweeping.grid import Grid
    from charrnn.sweeping.sweep import Sweep

COMPARED = 10
"""Runs that a page which compares them is advised for; curves of more hide each other."""


@dataclass(frozen=True)
class Asked:
    """Holds what is typed behind `charrnn sweep`."""

    grid: Path
    jobs: int | None
    out: Path | None
    assignments: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """Where the runs are: always the same, so that the same command goes on with them."""
        return self.out or Path("runs") / self.grid.stem

    def again(self) -> str:
        """Returns the command as it can be typed again."""
        words: list[object] = [self.grid]
        words += ["--jobs", self.jobs] if self.jobs else []
        words += ["-o", self.out] if self.out else []
        words += [word for assignment in self.assignments for word in ("--set", assignment)]
        return advice.command("sweep", *words)


@click.command("sweep", short_help="Train every combination of a grid of values.")
@click.argument("grid", type=click.Path(path_type=Path), metavar="GRID.yaml")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs that are trained at once [as many as cores and memory allow].",
)
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    type=common.Place(path_type=Path),
    help="Where the runs and their table are kept [runs/GRID].",
)
@common.set_option
@common.json_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, no messages.")
def command(
    grid: Path, jobs: int | None, out: Path | None, assignments: tuple[str, ...], as_json: bool, quiet: bool
) -> None:
    """Train every combination of the values in GRID.yaml as a run of its own, several at once, and print a table of
    them, the best on the validation part first. It is in DIR/sweep.tsv too, after each run.

    The same command goes on where it stopped: runs that are done are kept, those that failed are tried again, and new
    values are added. A run that fails does not stop the others; the exit code is then that of the first that failed.

    \b
    text: harbour
    base: quickstart                      (a file, a shipped config, or sections; may be left out)
    grid:
      model.hidden_size: [64, 128]
      train.seed: [1, 2, 3]

    \b
    charrnn sweep grid.yaml --jobs 2 -o runs/sizes
    charrnn sweep grid.yaml --set train.time_budget=2m
    """  # noqa: D205, D301  # click wants the backspace itself
    from charrnn.sweeping.combining import combine
    from charrnn.sweeping.sweep import Sweep

    asked = Asked(grid, jobs, out, assignments)
    own = common.read_assignments(assignments)
    found, errors = _read(grid)
    combinations = combine(found, own, errors)
    _require_texts(found.texts)
    sweep = Sweep(asked.directory, found.texts, combinations)
    try:
        display = SweepDisplay(sweep, quiet)
        sweep.warn = display.warn
        try:
            _train(sweep, [*found.base, *own], asked, display)
        finally:
            display.close()
        _conclude(sweep, asked, as_json, display)
    finally:
        sweep.close()


def _read(path: Path) -> tuple[Grid, list[str]]:
    """Returns the grid in a file, and what is wrong with it. Raises ConfigError where there is none."""
    from charrnn.sweeping import grid

    name = one_line(str(path))
    try:
        return grid.read(common.yaml_in(str(path)), name, path.parent, common.read_config)
    except FileNotFoundError:
        near = nearest_file(name)
        hint = f"did you mean {advice.word(near)}?" if near else "give a YAML file with 'text:' and 'grid:'"
        raise ConfigError(f"{name}: no such grid; {hint}") from None


def _require_texts(texts: tuple[str, ...]) -> None:
    """Raises DataError where a text is not there, and gathers a corpus that is new, once and not in each run."""
    from charrnn.runs import places

    places.refuse_as_text(texts)
    library = common.library()
    for text in texts:
        path = Path(text)
        is_there = os.path.exists(path)  # and not Path.exists, which some names are too long for
        if text in library.names() and (path.is_dir() or not is_there):
            library.provide(text)
        elif not is_there:
            library.read([text], "bytes")  # which says what is wrong
        elif path.is_fifo():
            raise DataError(f"{one_line(text)} is a pipe, and each run reads the text anew; give a file")


def _train(sweep: Sweep, settings: list[Setting], asked: Asked, display: SweepDisplay) -> None:
    """Trains what is not done. Raises Interrupted where a signal asked to stop."""
    from charrnn.sweeping import capacity
    from charrnn.sweeping.table import DONE, FAILED

    left = [entry.combination for entry in sweep.entries if entry.state != DONE]
    total, found = len(sweep.entries), capacity.find(asked.jobs, left)
    there = f"; {total - len(left):,} are done" if len(left) < total else ""
    how = f"; {_in_words(found)}" if left else ""
    display.say(f"{total:,} run{'s' * (total != 1)} in {one_line(str(sweep.directory))}{there}{how}")
    with signals.Noted() as noted:

        def stop() -> bool:
            """Is asked all the time, so that this is where the rest is done that is to be done all the time."""
            display.move()
            if noted.save:
                noted.save = False
                sweep.save()
                display.say(f"all runs save, as {signals.SAVING} asked for")
            return bool(noted.stop)

        sweep.run(settings, found.jobs, found.threads, stop, display.show)
    if noted.stop and sweep.count(DONE, FAILED) < total:
        display.close()
        raise Interrupted(
            noted.stop,
            f"stopped by {signals.name_of(noted.stop)}, and saved: {sweep.count(DONE):,} of {total:,} runs are done; "
            f"continue with: {asked.again()}",
        )


def _in_words(capacity: Capacity) -> str:
    """Says how many runs are trained at once, with what, and why they are no more."""
    each = f"{capacity.threads} core{'s' * (capacity.threads != 1)} for each"
    short = f", as one may take {capacity.memory / 2**30:.1f} GiB of memory" if capacity.short else ""
    return f"{capacity.jobs} at once{short}, {each}"


def _conclude(sweep: Sweep, asked: Asked, as_json: bool, display: SweepDisplay) -> None:
    """Prints the table, and what can be done with it. Raises the error of the first run that failed."""
    from charrnn.sweeping import table

    kind = sweep.entries[0].combination.kind
    if as_json:
        common.print_json(
            {
                "directory": str(sweep.directory),
                "measure": kind.measure,
                "higher_is_better": kind.higher_is_better,
                "runs": table.rows(sweep.entries),
            }
        )
    else:
        for line in table.aligned(sweep.entries):
            click.echo(line)
    if sweep.of_several_texts():
        display.warn(f"the runs have not learnt from the same text: {', '.join(sweep.texts)} changed in between")
    display.say(*_compare(sweep))
    failed = [entry for entry in sweep.entries if entry.state == table.FAILED]
    if failed:
        error = CharrnnError(
            f"{len(failed):,} of {len(sweep.entries):,} runs failed, and train.log in the directory of each has all "
            f"that it said; to try them again: {asked.again()}"
        )
        error.exit_code = failed[0].code
        raise error


def _compare(sweep: Sweep) -> list[str]:
    """Returns a line with the command that compares the best runs on a page; none where there are not two."""
    from charrnn.sweeping import table

    directory, page = sweep.directory, sweep.directory / "report.html"
    best = [directory / entry.combination.name for rank, entry in table.ranked(sweep.entries) if rank]
    if len(best) < 2:
        return []
    if len(best) <= COMPARED and {*best} == {path for path in directory.iterdir() if path.is_dir()}:
        return [
            f"compare them on a page: {advice.command('report')} {advice.word(directory)}/*/ -o {advice.word(page)}"
        ]
    what = f"the best {COMPARED}" if len(best) > COMPARED else "them"
    return [f"compare {what} on a page: {advice.command('report', *best[:COMPARED], '-o', page)}"]
