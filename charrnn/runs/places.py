"""Which directories a run may begin or go on in; what is a person's own there is left alone."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from charrnn import advice
from charrnn.errors import CheckpointError, ConfigError, OutputError
from charrnn.nearness import CLOSE

LAST, PREVIOUS, BEST = CHECKPOINTS = ("last.npz", "prev.npz", "best.npz")
CONFIG, METRICS, SAMPLES = "config.yaml", "metrics.jsonl", "samples.jsonl"
DIVERGED, LOCK = "diverged.json", ".lock"
LOG = "train.log"
"""What training said. A sweep keeps it, and makes the directory for it before the run begins."""


def holds_a_run(path: Path) -> bool:
    """Tells whether a checkpoint is in the directory."""
    return any((path / name).exists() for name in CHECKPOINTS)


def runs_in(path: Path) -> list[Path]:
    """Returns the runs in the directory that holds them, the newest last; none where it cannot be read."""
    try:
        runs = [child for child in path.iterdir() if child.is_dir() and holds_a_run(child)]
        return sorted(runs, key=lambda run: max(_changed(run / name) for name in CHECKPOINTS))
    except OSError:
        return []


def nearest_run(path: Path) -> Path | None:
    """Returns the run of nearly this name: in the same directory, or where runs are kept by default."""
    near = {run.name: run for folder in (Path("runs"), path.parent) for run in runs_in(folder)}
    close = difflib.get_close_matches(path.name, near, n=1, cutoff=CLOSE)
    return near[close[0]] if close else None


def _changed(path: Path) -> float:
    """Returns when the file was written; 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def inside(path: Path) -> str:
    """Says which runs a directory holds that is none, as in ` itself, but 3 runs, such as runs/a-1`; empty if none."""
    runs = runs_in(path)
    count = f"{len(runs)} runs, such as" if len(runs) > 1 else "a run,"
    return f" itself, but {count} {advice.word(runs[-1])}" if runs else ""


def refuse_to_begin(path: Path) -> None:
    """Raises ConfigError where a new run would mix with what is no run: other runs, or files of a person's own.

    Raises OutputError where the path is that of a file.
    """
    if path.exists() and not path.is_dir():
        beside = advice.word(_free(path.parent, path.stem))
        raise OutputError(f"{path} is a file, and a run needs a directory; choose another: -o {beside}")
    if holds_a_run(path) or (path / LOCK).exists():  # a run, or what is left of one
        return
    if within := inside(path):
        raise ConfigError(f"{path} holds no run{within}; begin a new one beside: -o {advice.word(_free(path))}")
    if others := _visible(path):
        more = f" and {len(others) - 1:,} more" * (len(others) > 1)
        raise ConfigError(
            f"{path} holds no run, and has what was written by no run: {others[0]}{more}; begin a run in a directory "
            f"of its own: -o {advice.word(_free(path))}"
        )


def _visible(path: Path) -> list[str]:
    """Returns the names in a directory but for hidden ones, which systems and editors leave, and that of a log."""
    names = os.listdir(path) if path.is_dir() else []
    return sorted(name for name in names if not name.startswith(".") and name != LOG)


def refuse_to_resume(path: Path) -> None:
    """Raises ConfigError where no run has ever been, with where one is that may be meant.

    Raises CheckpointError for a directory of something else.
    """
    if path.is_file() and holds_a_run(path.parent):
        run = path.parent
    elif path.is_dir() and not holds_a_run(path) and (runs := runs_in(path)):
        run = runs[-1]
    elif not path.is_dir():
        raise ConfigError(f"{path} is not a run directory; {_begin_instead(path)}")
    elif not holds_a_run(path) and not (path / LOCK).exists():
        raise CheckpointError(f"{path} holds no checkpoint; {_begin_instead(path)}")
    else:
        return
    what = "is a file of a run" if path.is_file() else f"holds no run{inside(path)}"
    raise ConfigError(f"{path} {what}; continue it: {_continued(run)}")


def ended_early(path: Path) -> str:
    """Says what can be done with the directory of a run that ended before its first checkpoint."""
    diverged = ", as it diverged: lower the rate" if (path / DIVERGED).exists() else ""
    return f"{path} holds no checkpoint, for its run ended before the first{diverged}; begin again: {_begun(path)}"


def _begin_instead(path: Path) -> str:
    """Says what can be done where there is no run: to go on with that which may be meant, or to begin one."""
    if run := None if path.exists() else nearest_run(path):
        return f"did you mean: {_continued(run)}"
    try:
        refuse_to_begin(path)
    except (ConfigError, OutputError):
        return "name the directory of a run"
    return f"leave out --resume to begin a run there: {_begun(path)}"


def refuse_as_text(texts: Sequence[str]) -> None:
    """Raises ConfigError where a run stands in the place of a text."""
    for run in _runs_among(texts):
        raise ConfigError(f"{run} is a run, and no text; continue it: {_continued(run)}")


def without_directory(texts: Sequence[str]) -> str:
    """Says that the directory of a run to be continued is missing, and which may be meant by these texts."""
    for run in _runs_among(texts):
        return f"--resume needs -o before the directory of the run: {_continued(run)}"
    stem = Path(texts[0]).stem if texts else ""
    runs = [run for run in runs_in(Path("runs")) if not texts or run.name.rpartition("-")[0] == stem]
    return "--resume needs the directory of the run: " + (_continued(runs[-1]) if runs else "-o RUN_DIR")


def _runs_among(texts: Sequence[str]) -> Iterator[Path]:
    return (Path(text) for text in texts if os.path.isdir(text) and holds_a_run(Path(text)))


def _continued(run: Path) -> str:
    return advice.command("train", "-o", run, "--resume")


def _begun(run: Path) -> str:
    return advice.command("train", "TEXT", "-o", run)


def _free(path: Path, stem: str = "run") -> Path:
    """Returns a directory in `path` that is not there yet."""
    number = 1
    while (path / f"{stem}-{number}").exists():
        number += 1
    return path / f"{stem}-{number}"
