"""`charrnn train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn import advice
from charrnn.cli import common, signals
from charrnn.cli.display import Display
from charrnn.config.resolve import Setting, resolve
from charrnn.config.writing import to_dict, to_settings
from charrnn.errors import CharrnnError, ConfigError, Interrupted

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.training.trainer import Trainer


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn train`: a field for each option."""

    text: tuple[str, ...]
    config_name: str | None
    out: Path | None
    assignments: tuple[str, ...]
    resume: bool
    init_from: Path | None
    time_budget: str | None
    seed: int | None
    quiet: bool

    def settings(self) -> list[Setting]:
        """Returns the settings of the configuration that these options ask for, later ones over earlier ones."""
        settings = [*common.read_config(self.config_name), *common.read_assignments(self.assignments)]
        if self.time_budget is not None:
            settings.append(Setting("train.time_budget", self.time_budget, f"--time-budget {self.time_budget}"))
        if self.seed is not None:
            settings.append(Setting("train.seed", self.seed, f"--seed {self.seed}"))
        return settings


@click.command("train", short_help="Train a model on a text, or on pairs.")
@click.argument("text", nargs=-1, metavar="[TEXT|PAIRS]...")
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
def command(**options: Any) -> None:
    """Train a model on TEXT: a file, '-' for stdin, or the name of a corpus (`charrnn corpus list`).

    PAIRS are for the other tasks: a row for each item with a tab between the two (label and text, or source and
    target), JSON lines, or for classify and generate a folder with a file for each label.

    Stop with Ctrl-C: the run is saved, and --resume continues it.

    \b
    charrnn train harbour --time-budget 2m
    charrnn train names.tsv --set task.name=classify -o runs/names
    charrnn train -o runs/names --resume --set train.epochs=20
    """  # noqa: D301  # click wants the backspace itself
    wanted = Options(**options)
    if wanted.resume and wanted.init_from:
        raise ConfigError("--resume and --init-from are two things: continue a run, or begin one; give one of them")
    trainer = _resume(wanted) if wanted.resume else _begin(wanted)
    try:
        _train(trainer, wanted.quiet)
    finally:
        trainer.close()


def _begin(wanted: Options) -> Trainer:
    from charrnn import tasks
    from charrnn.runs import checkpoint
    from charrnn.runs.directory import RunDirectory
    from charrnn.training.preparing import prepare
    from charrnn.training.trainer import Trainer

    settings, text, init_from = wanted.settings(), wanted.text, wanted.init_from
    if not text:
        raise ConfigError(
            "train what? give a file, of a text or of pairs, '-', or the name of a corpus such as harbour"
        )
    old = checkpoint.load(init_from) if init_from else None
    inherited = to_settings(old.config, str(init_from)) if old else []
    config, _ = resolve(_of_the_network(inherited, settings), settings)
    examples = tasks.find(config.task.name, config.data).read(common.library(), text, config.data)
    prepared = prepare(config, examples, old)
    stem = "stdin" if text[0] == "-" else Path(text[0]).stem
    directory = RunDirectory(wanted.out) if wanted.out else RunDirectory.numbered(Path("runs"), stem)
    try:
        return Trainer.begin(directory, prepared)
    except CharrnnError:
        directory.close()
        raise


def _of_the_network(inherited: list[Setting], settings: list[Setting]) -> list[Setting]:
    """Returns what a new run takes over of the configuration of an old one: the network, as far as its task has it."""
    from charrnn.nn.build import OWN_KEYS

    before, now = (resolve(some)[0].task.name for some in (inherited, settings))
    left = () if before == now else tuple(f"model.{name}" for name in OWN_KEYS)
    return [setting for setting in inherited if setting.path.startswith("model.") and setting.path not in left]


def _resume(wanted: Options) -> Trainer:
    from charrnn.runs.directory import RunDirectory
    from charrnn.text.origin import STDIN
    from charrnn.training.resuming import refuse_another_configuration
    from charrnn.training.trainer import Trainer

    settings, text = wanted.settings(), wanted.text
    if wanted.out is None:
        raise ConfigError("--resume needs the directory of the run: -o RUN_DIR")
    directory = RunDirectory(wanted.out, resume=True)
    try:
        run, damaged = directory.newest()
        config, _ = resolve(to_settings(run.config, "the run"), settings)
        refuse_another_configuration(run, config)  # before anything is read as it says
        if not text and {"-", STDIN} & {*run.corpus.found_at}:
            raise ConfigError("the run learns from standard input; give the same again, with '-' for TEXT")
        examples = run.task.read(common.library(), text or run.corpus.found_at, config.data)
        trainer = Trainer.resume(directory, run, config, examples)
        trainer.warnings += [f"{message}; passed over, and kept" for message in damaged]
        trainer.notes.append(f"resuming at iteration {run.iteration:,}")
        return trainer
    except BaseException:
        directory.close()
        raise


def _train(trainer: Trainer, quiet: bool) -> None:
    place, run, progress = trainer.directory.path, trainer.run, trainer.progress
    display = Display(trainer, quiet)
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
                    f"continue with: {advice.command('train', '-o', place, '--resume')}",
                )
    display.close()
    if run.best is not None:
        display.say(f"best validation {_best(run)}")
    display.say(run.task.invite(place))


def _best(run: Run) -> str:
    """Says in words what the best score of a run is."""
    if run.task.measure == "nats" and run.best is not None:
        return f"loss: {common.describe_loss(run.best)}"
    return f"{run.task.measure}: {run.best:.4f}"


def _more(trainer: Trainer) -> str:
    """Returns the options that make a complete run twice as long."""
    train = to_dict(trainer.run.config)["train"]
    ends = {name: train[name] for name in ("epochs", "iterations", "time_budget") if train[name]}
    return " ".join(advice.setting(f"train.{name}", 2 * value) for name, value in ends.items())


def _summary(trainer: Trainer) -> list[str]:
    run, config = trainer.run, trainer.run.config
    return [
        f"{run.corpus.name}: {run.task.describe(trainer.split)}",
        f"{common.describe_model(config.model, run.model.num_parameters)}; {config.optim.name} "
        f"{config.optim.learning_rate:g}, seed {config.train.seed}, {trainer.plan}; in {trainer.directory.path}",
    ]
