"""Training from a Python program, as `charrnn train` does it."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from charrnn import tasks
from charrnn.cli import common, launching, signals
from charrnn.cli.display import Display
from charrnn.config.resolve import Setting, resolve
from charrnn.config.writing import to_settings
from charrnn.errors import CharrnnError, ConfigError, DivergedError, Interrupted
from charrnn.interface.given import IN_MEMORY, Source, sources_of
from charrnn.interface.settings import settings_of
from charrnn.interface.trained import TrainedRun, load
from charrnn.recipes.choosing import NOTHING, choose
from charrnn.runs import checkpoint, places
from charrnn.runs.directory import RunDirectory
from charrnn.runs.moved import read_again
from charrnn.runs.places import DIVERGED
from charrnn.training import resuming
from charrnn.training.fine_tuning import configure
from charrnn.training.more import ENDS, parse
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer


def train(
    source: Source | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    more: str | int | None = None,
    init_from: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **keywords: Any,
) -> TrainedRun:
    """Trains a network as `charrnn train` does, and returns the best that it became, by its validation part.

        run = charrnn.train("novel.txt", hidden_size=256, epochs=3)
        run = charrnn.train("harbour", {"optim.name": "adamw"}, config="quickstart", out="runs/mine", progress=True)
        run = charrnn.train([("spam", "buy now"), ("ham", "see you at six"), ...], task="classify")

    `source` is what is learnt from: a file or folder, the name of a corpus, a list of several, a text (a string with
    line breaks, or bytes), or a list of pairs, `(label, text)` or `(source, target)`, for the tasks that learn pairs.

    Where no `config` names a recipe, one is chosen for a text, as on the command line, and what is set is kept.
    What can be chosen is chosen by the keys of docs/configuration.md: in the YAML file `config`, or a shipped one by
    its name; over it, in `settings`, by their dotted names; and over these by keywords, each the last word of a key
    (`hidden_size`, `batch_size`, `epochs`, `iterations`, `time_budget`, `dropout`, `cell`, `seed`), or `lr`, `layers`,
    `task` and `optimizer`.

    `out` is the directory of the run, which is kept as on the command line, and which `resume` goes on with, to a new
    end or for so much `more`: 300 iterations, "5epochs" or "10m". Without it, nothing is left on the disk:
    `run.save("model.npz")` keeps it. `init_from` is a run whose weights to begin with. `progress` shows on stderr what
    the command shows; without it, what a user must know is a Python warning.

    A KeyboardInterrupt ends it between two updates; where there is an `out`, the run is saved, and can be resumed.
    Other threads than the main one train as well, and hear of no signals. Raises the errors of the command line:
    ConfigError, DataError, CheckpointError, DivergedError, OutputError and LockedError, all of them CharrnnErrors.
    """
    launching.refuse()
    asked = settings_of(config, settings, keywords)
    if resume and (out is None or init_from is not None):
        raise ConfigError("resume= goes on with the run in out=, and begins none; give out= and no init_from=")
    if more is not None and not resume:
        raise ConfigError("more= is for a run that is gone on with; give resume=True and out=, or leave it out")
    with ExitStack() as stack:
        place = Path(out if out is not None else stack.enter_context(tempfile.TemporaryDirectory(prefix="charrnn-")))
        trainer = (
            _resume(place, source, asked, more)
            if resume
            else _begin(place, source, asked, init_from, named=config is not None)
        )
        try:
            _finish(trainer, progress, kept=out is not None)
        except DivergedError as error:
            if out is None:  # what it says more of it is gone with the directory
                error.args = error.messages = (str(error).replace(f"; see {place / DIVERGED}", ""),)
            raise
        finally:
            trainer.close()
        run = load(place)
        run.path = None if out is None else place
        return run


def _begin(
    place: Path, source: Source | None, asked: list[Setting], init_from: str | os.PathLike[str] | None, named: bool
) -> Trainer:
    """Begins a run; `named` is whether a configuration was named, beside which nothing is chosen."""
    if source is None:
        raise ConfigError("train what? give a file, the name of a corpus such as 'harbour', a text, or pairs")
    old = checkpoint.load(os.fspath(init_from)) if init_from is not None else None
    inherited = to_settings(old.config, str(init_from)) if old else []
    network = [setting for setting in inherited if setting.path.startswith("model.")]
    config, notes = configure(network, asked) if old else (resolve(asked)[0], [])
    library, sources = sources_of(source, config.data.encoding)
    places.refuse_as_text(tuple(sources))
    examples = tasks.find(config.task.name, config.data).read(library, sources, config.data)
    chosen = NOTHING
    if old is None and not named:
        chosen = choose(asked, examples)
        config, _ = resolve(chosen.settings, asked)
    prepared = prepare(config, examples, old)
    prepared.notes.extend([*notes, *chosen.told])
    directory = RunDirectory(place)
    try:
        return Trainer.begin(directory, prepared, chosen=chosen.keys)
    except CharrnnError:
        directory.close()
        raise


def _resume(place: Path, source: Source | None, asked: list[Setting], more: str | int | None) -> Trainer:
    amount = None if more is None else parse(str(more))
    if amount and any(setting.path in [f"train.{end}" for end in ENDS] for setting in asked):
        raise ConfigError("more= says when the run ends, and so do epochs, iterations and time_budget; leave one out")
    directory = RunDirectory(place, resume=True)
    try:
        run, damaged = directory.newest()
        config, _ = resolve(to_settings(run.config, "the run"), asked)
        resuming.refuse_another_configuration(run, config)
        if source is None and run.corpus.name == IN_MEMORY:
            raise ConfigError("the run learns from what was given in Python; give the same again")
        if source is None:
            examples = read_again(run, common.library(), place, config.data)
        else:
            library, sources = sources_of(source, config.data.encoding)
            examples = run.task.read(library, sources, config.data)
        trainer = Trainer.resume(directory, run, config, examples, amount)
        trainer.warnings += [f"{message}; passed over, and kept" for message in damaged]
        return trainer
    except BaseException:
        directory.close()
        raise


def _finish(trainer: Trainer, progress: bool, kept: bool) -> None:
    """Trains to the end. A signal ends it between two updates, and is then raised as if it came there."""
    display = Display(trainer, quiet=not progress)
    display.say(f"{trainer.run.corpus.name}: {trainer.run.task.describe(trainer.split)}", *trainer.notes)
    warn = display.warn if progress else _warn
    for message in trainer.warnings:
        warn(message)
    trainer.warn = warn
    if trainer.progress.complete:
        display.close()
        return
    try:
        with signals.Noted() as noted:
            for record in trainer.records(lambda: bool(noted.stop)):
                display.show(record)
                if noted.stop and not trainer.progress.complete:
                    if kept:
                        trainer.saver.save()
                    break
    finally:
        display.close()
    if noted.stop:
        signal.raise_signal(noted.stop)  # which the handlers of this program turn into a KeyboardInterrupt
        how = f"out={str(trainer.directory.path)!r} and resume=True"
        saved = f"and saved; continue with {how}" if kept else "and not saved, as there is no out="
        raise Interrupted(noted.stop, f"stopped by {signals.name_of(noted.stop)}, {saved}")


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)
