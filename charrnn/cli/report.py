"""`charrnn report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli import common
from charrnn.errors import ConfigError, one_line

if TYPE_CHECKING:
    from charrnn.reporting.facts import Facts


@click.command("report", short_help="Write a page about a run, or about several.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE.html|-",
    help="Where the page goes [RUN/report.html; for several runs report.html here]; '-' for stdout.",
)
@common.json_option
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write no page, but files for TensorBoard, in a folder of each run's name (pip install charrnn[tensorboard]).",
)
def command(runs: tuple[Path, ...], out: Path | None, as_json: bool, tensorboard: Path | None) -> None:
    """Write a page about RUN, a run directory or a checkpoint: its curves, samples and configuration, and what n-grams
    and compressors reach on the same text. Of several runs, it compares them.

    The page is one file that needs no network. A run may be reported at any time, while it is trained too.

    \b
    charrnn report runs/harbour-1
    charrnn report runs/harbour-1 runs/harbour-2 -o both.html
    """  # noqa: D205, D301  # click wants the backspace itself
    from charrnn.reporting.facts import gather
    from charrnn.reporting.standing import Baselines

    if sum((out is not None, as_json, tensorboard is not None)) > 1:
        raise ConfigError("-o, --json and --tensorboard write three things; give one of them")
    if tensorboard is not None:
        _write_events(runs, tensorboard)
        return
    to_stdout = str(out) == "-"
    place = out or _default(runs)
    if not as_json and not to_stdout:
        common.refuse_to_overwrite(place)
    baselines = Baselines(common.library())
    found = [gather(path, baselines) for path in runs]
    if as_json:
        common.print_json({"runs": [_facts(facts) for facts in found]})
    elif to_stdout:
        common.put(_page(found))
    else:
        common.write_page(_page(found), place)
        click.echo(one_line(str(place)))


def _default(runs: tuple[Path, ...]) -> Path:
    """Returns where the page goes that nobody named a place for."""
    if len(runs) > 1:
        return Path("report.html")
    (run,) = runs
    return run / "report.html" if run.is_dir() else run.with_suffix(".html")


def _page(found: list[Facts]) -> str:
    from charrnn.pages.comparison import comparison_page
    from charrnn.pages.report import report_page

    return report_page(found[0]) if len(found) == 1 else comparison_page(found)


def _facts(facts: Facts) -> dict[str, Any]:
    from charrnn.config.writing import to_dict

    run, best = facts.run, facts.best
    return {
        "run": facts.name,
        "task": facts.config.task.name,
        "iteration": facts.iteration,
        "elapsed_s": facts.elapsed,
        "parameters": run.model.num_parameters if run else None,
        "best": None if best is None else {"iteration": best[0], **facts.best_scores},
        "baselines": facts.baselines,
        "data": {"name": run.corpus.name, "bytes": run.corpus.size, "sha256": run.corpus.sha256} if run else None,
        "environment": run.environment if run else None,
        "changed": {key: now for key, (now, _) in facts.changed().items()},
        "config": to_dict(facts.config),
        "lines": len(facts.history.lines),
        "lines_passed_over": facts.history.passed_over,
        "samples": facts.samples.lines,
        "notes": facts.notes,
    }


def _write_events(runs: tuple[Path, ...], folder: Path) -> None:
    from charrnn.reporting import events

    places = [path if path.is_dir() else path.parent for path in runs]
    names = [place.resolve().name for place in places]
    for path, place, name in zip(runs, places, names, strict=True):
        if names.count(name) > 1:  # as runs/1 and others/1
            name = "-".join(place.resolve().parts[-2:])
        events.write(path, folder / name)
    click.echo(one_line(str(folder)))
