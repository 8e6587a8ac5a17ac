"""`charrnn train`."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli import common, signals
from charrnn.config.resolve import Setting, resolve
from charrnn.config.writing import to_dict, to_settings
from charrnn.errors import CharrnnError, ConfigError, Interrupted

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.training.metrics import Record
    from charrnn.training.trainer import Trainer


@click.command("train", short_help="Train a model on a text.")
@click.argument("text", required=False)
@common.config_option
@click.option(
    "-o",
    "--out",
    metavar="RUN_DIR",
    type=click.Path(path_type=Path),
    help="Where the run is kept [runs/TEXT-N].",
)
@common.set_option
@click.option("--resume", is_flag=True, help="Continue the run in RUN_DIR exactly where it stopped.")
@click.option(
    "--init-from",
    metavar="CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Begin with the weights of another run.",
)
@click.option("--time-budget", metavar="TIME", help="Stop after this time: 90s, 10m, 1h30m.")
@click.option("--seed", type=int, metavar="N", help="Of all that is random.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no messages.")
def command(
    text: str | None,
    config_name: str | None,
    out: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
    init_from: Path | None,
    time_budget: str | None,
    seed: int | None,
    quiet: bool,
) -> None:
    """Train a model on TEXT: a file, '-' for stdin, or the name of a corpus (`charrnn corpus list`).

    Stop with Ctrl-C: the run is saved, and --resume continues it.
    """
    if resume and init_from:
        raise ConfigError("--resume and --init-from are two things: continue a run, or begin one; give one of them")
    settings = [*common.read_config(config_name), *common.read_assignments(assignments)]
    if time_budget is not None:
        settings.append(Setting("train.time_budget", time_budget, f"--time-budget {time_budget}"))
    if seed is not None:
        settings.append(Setting("train.seed", seed, f"--seed {seed}"))
    trainer = _resume(text, out, settings) if resume else _begin(text, out, settings, init_from)
    try:
        _train(trainer, quiet)
    finally:
        trainer.close()


def _begin(text: str | None, out: Path | None, settings: list[Setting], init_from: Path | None) -> Trainer:
    from charrnn import tasks
    from charrnn.runs import checkpoint
    from charrnn.runs.directory import RunDirectory
    from charrnn.training.preparing import prepare
    from charrnn.training.trainer import Trainer

    if text is None:
        raise ConfigError("train what? give a text file, '-', or the name of a corpus such as harbour")
    old = checkpoint.load(init_from) if init_from else None
    inherited = to_settings(old.config, str(init_from)) if old else []
    inherited = [setting for setting in inherited if setting.path.startswith("model.")]
    config, _ = resolve(inherited, settings)
    examples = tasks.find(config.task.name).read(common.library(), text, config.data)
    prepared = prepare(config, examples, old)
    stem = "stdin" if text == "-" else Path(text).stem
    directory = RunDirectory(out) if out else RunDirectory.numbered(Path("runs"), stem)
    try:
        return Trainer.begin(directory, prepared)
    except CharrnnError:
        directory.close()
        raise


def _resume(text: str | None, out: Path | None, settings: list[Setting]) -> Trainer:
    from charrnn.runs.directory import RunDirectory
    from charrnn.text.corpus import STDIN
    from charrnn.training.trainer import Trainer

    if out is None:
        raise ConfigError("--resume needs the directory of the run: -o RUN_DIR")
    directory = RunDirectory(out, resume=True)
    try:
        run, damaged = directory.newest()
        config, _ = resolve(to_settings(run.config, "the run"), settings)
        if text is None and run.corpus.name == STDIN:
            raise ConfigError("the run learns from standard input; give its text again, with '-' for TEXT")
        examples = run.task.read(common.library(), text or run.corpus.name, config.data)
        trainer = Trainer.resume(directory, run, config, examples)
        trainer.warnings += [f"{message}; passed over, and kept" for message in damaged]
        trainer.notes.append(f"resuming at iteration {run.iteration:,}")
        return trainer
    except BaseException:
        directory.close()
        raise


def _train(trainer: Trainer, quiet: bool) -> None:
    place, run, progress = trainer.directory.path, trainer.run, trainer.progress
    display = _Display(trainer, quiet)
    display.say(*_summary(trainer), *trainer.notes)
    for message in trainer.warnings:
        display.warn(message)
    trainer.warn = display.warn
    if progress.complete:
        raise ConfigError(
            f"{place} is complete at iteration {run.iteration:,}; give it more to do, as with {_more(trainer)}"
        )
    with signals.Noted() as noted:
        for record in trainer.records(lambda: bool(noted.stop)):
            stopped = noted.stop and not progress.complete
            if stopped:
                trainer.saver.save()  # before anything is said: the terminal may be gone
            elif noted.save:
                noted.save = False
                if trainer.saver.try_to_save():
                    display.say(f"saved at iteration {record.iteration:,}, as {signals.SAVING} asked for")
            display.show(record)
            if stopped:
                display.close()
                raise Interrupted(
                    noted.stop,
                    f"stopped by {signals.name_of(noted.stop)} at iteration {record.iteration:,}, and saved; "
                    f"continue with: charrnn train -o {shlex.quote(str(place))} --resume",
                )
    display.close()
    if run.best is not None:
        display.say(f"best validation {_best(run)}")
    display.say(f"{run.task.invitation} {shlex.quote(str(place))}")


def _best(run: Run) -> str:
    """Says in words what the best score of a run is."""
    if run.task.measure == "nats" and run.best is not None:
        return f"loss: {common.describe_loss(run.best)}"
    return f"{run.task.measure}: {run.best:.4f}"


def _more(trainer: Trainer) -> str:
    """Returns the options that make a complete run twice as long."""
    train = to_dict(trainer.run.config)["train"]
    ends = {name: train[name] for name in ("epochs", "iterations", "time_budget") if train[name]}
    return " ".join(f"--set train.{name}={2 * value:g}" for name, value in ends.items())


def _summary(trainer: Trainer) -> list[str]:
    run, config = trainer.run, trainer.run.config
    return [
        f"{run.corpus.name}: {run.task.describe(trainer.split)}",
        f"{common.describe_model(config.model, run.model.num_parameters)}; {config.optim.name} "
        f"{config.optim.learning_rate:g}, seed {config.train.seed}, {trainer.plan}; in {trainer.directory.path}",
    ]


class _Display:
    """Shows a progress bar on a terminal, elsewhere a line for each evaluation. If nobody listens, training goes on."""

    def __init__(self, trainer: Trainer, quiet: bool) -> None:
        from tqdm import tqdm

        self.trainer = trainer
        self.quiet = quiet or not sys.stderr  # which is None where it was closed before we began
        self.terminal = not self.quiet and sys.stderr.isatty()
        self.bar = tqdm(
            total=1.0,
            initial=trainer.progress.share(),
            disable=not self.terminal,
            file=sys.stderr,
            bar_format="{percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}",
            dynamic_ncols=True,
            leave=False,
        )

    def say(self, *lines: str) -> None:
        """Prints lines that stay, above the bar."""
        with contextlib.suppress(OSError):  # a closed pipe, a full disk: a run does not die of its commentary
            for line in lines:
                if not self.quiet:
                    self.bar.clear()
                    common.say(line)

    def warn(self, message: str) -> None:
        """Prints a line that those who want it quiet see too."""
        with contextlib.suppress(OSError):
            self.bar.clear()
            common.say(f"charrnn: warning: {message}")

    def show(self, record: Record) -> None:
        """Moves the bar; an evaluation leaves a line that stays."""
        if record.scores is not None and not self.quiet:
            run = self.trainer.run
            better = record.scores[run.task.measure] == run.best
            others = "".join(f"  {name} {score:.4f}" for name, score in record.scores.items() if name != "nats")
            line = (
                f"iteration {record.iteration:>7,}  epoch {record.epoch:6.2f}  {record.chars_per_s:>9,.0f} chars/s  "
                f"train {_nats(record)}  validation {record.scores['nats']:.4f}{others}"
                f"{' *' if better else ''}"
                f"{f'  {record.skipped:,} skipped' if record.skipped else ''}"
            )
            self.say(line)
        if self.terminal:
            self.bar.set_postfix_str(
                f" iteration {record.iteration:,}, loss {_nats(record)}, {record.chars_per_s:,.0f} chars/s",
                refresh=False,
            )
            self.bar.update(min(1.0, self.trainer.progress.share()) - self.bar.n)

    def close(self) -> None:
        """Removes the bar."""
        with contextlib.suppress(OSError):
            self.bar.close()


def _nats(record: Record) -> str:
    """Shows the training loss; a dash where all batches were skipped."""
    return "-" if record.train_nats is None else f"{record.train_nats:.4f}"
