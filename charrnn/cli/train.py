"""`charrnn train`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli import common, ending, flags, launching, signals
from charrnn.cli.display import Display
from charrnn.config.resolve import Setting, resolve
from charrnn.config.unread import unread
from charrnn.config.writing import to_settings
from charrnn.errors import CharrnnError, ConfigError, DataError, Interrupted

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.tasks.base import Examples
    from charrnn.text.corpus import Library
    from charrnn.text.options import DataConfig
    from charrnn.training.trainer import Trainer
    from charrnn.training.world import World


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn train`: a field for each option, and one for all flags that set a key."""

    text: tuple[str, ...]
    config_name: str | None
    out: Path | None
    assignments: tuple[str, ...]
    resume: bool
    more: str | None
    init_from: Path | None
    flags: dict[str, str]
    quiet: bool

    def settings(self) -> list[Setting]:
        """Returns the settings of the configuration that these options ask for, later ones over earlier ones."""
        given = [flags.setting(flag, value) for flag, value in self.flags.items()]
        return [*common.read_config(self.config_name), *common.read_assignments(self.assignments), *given]

    def again(self) -> list[str]:
        """Returns the words that ask for these settings, but for those that say when a run ends."""
        config = [] if _ends(common.read_config(self.config_name)) else ["-c", self.config_name or ""]
        sets = [("--set", given) for given in self.assignments if not _ends(common.read_assignments([given]))]
        given = [(flag, value) for flag, value in self.flags.items() if not _ends([flags.setting(flag, value)])]
        return [*config * bool(self.config_name), *itertools.chain(*sets, *given)]


def _ends(settings: list[Setting]) -> list[Setting]:
    """Returns the settings that say when a run ends."""
    from charrnn.training.more import ENDS

    return [setting for setting in settings if setting.path in [f"train.{end}" for end in ENDS]]


@click.command("train", short_help="Train a model on a text, or on pairs.")
@click.argument("text", nargs=-1, metavar="[TEXT|PAIRS]...")
@common.config_option
@click.option(
    "-o",
    "--out",
    metavar="RUN_DIR",
    type=common.Place(path_type=Path),
    help="Where the run is kept [runs/TEXT-N].",
)
@common.set_option
@click.option("--resume", is_flag=True, help="Continue the run in RUN_DIR exactly where it stopped.")
@click.option(
    "--more", metavar="AMOUNT", help="With --resume: how much more than is done: 300 (iterations), 5epochs or 10m."
)
@click.option(
    "--init-from",
    metavar="CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Begin with the weights of another run.",
)
@flags.options()
@click.option("-q", "--quiet", is_flag=True, help="No progress, no messages.")
@click.pass_obj
def command(world: World | None, /, **options: Any) -> None:
    """Train a model on TEXT: a file, '-' for stdin, or the name of a corpus (`charrnn corpus list`).

    PAIRS are for the other tasks: a row for each item with a tab between the two (label and text, or source and
    target), JSON lines, or for classify and generate a folder with a file for each label.

    Where no -c names a recipe, one is chosen for a text from its length, the time and this machine; what you set is
    kept. Stop with Ctrl-C: the run is saved, and --resume continues it.

    \b
    charrnn train harbour --time-budget 2m
    charrnn train names.tsv --task classify -o runs/names
    charrnn train -o runs/names --resume --more 5epochs
    """  # noqa: D301  # click wants the backspace itself
    wanted = Options(flags=flags.take(options), **options)
    if wanted.resume and wanted.init_from:
        raise ConfigError("--resume and --init-from are two things: continue a run, or begin one; give one of them")
    if wanted.more is not None and not wanted.resume:
        raise ConfigError(
            "--more is for a run that is continued; name it with --resume -o RUN_DIR, or leave --more out"
        )
    trainer = _resume(wanted, world) if wanted.resume else _begin(wanted, world)
    try:
        _train(trainer, wanted)
    finally:
        trainer.close()


def _begin(wanted: Options, world: World | None) -> Trainer:
    from charrnn import tasks
    from charrnn.recipes.choosing import NOTHING, choose
    from charrnn.runs import checkpoint, places
    from charrnn.runs.directory import RunDirectory
    from charrnn.text.origin import stem_of
    from charrnn.training import few_updates, leading, patience
    from charrnn.training.fine_tuning import configure
    from charrnn.training.preparing import prepare
    from charrnn.training.trainer import Trainer

    settings, text, init_from = wanted.settings(), wanted.text, wanted.init_from
    if not text:
        raise ConfigError(
            "train what? give a file, of a text or of pairs, '-', or the name of a corpus such as harbour"
        )
    places.refuse_as_text(text)
    old = checkpoint.load(init_from) if init_from else None
    inherited = to_settings(old.config, str(init_from)) if old else []
    inherited = _of_the_network(inherited, settings)
    config, notes = configure(inherited, settings) if old else (resolve(settings)[0], [])
    _, origins = resolve(inherited, settings)
    common.invite(() if wanted.quiet else text)
    examples = tasks.find(config.task.name, config.data).read(common.library(), text, config.data)
    chosen = NOTHING
    if not old and wanted.config_name is None:
        chosen = choose(settings, examples, *((world.size, world.cores_each()) if world else ()))
        config, origins = resolve(chosen.settings, settings)
    if world:
        leading.refuse(config, world)
    prepared = prepare(config, examples, old)
    prepared.notes.extend([*notes, *chosen.told])
    stem = stem_of(text)
    directory = RunDirectory(wanted.out) if wanted.out else RunDirectory.numbered(Path("runs"), stem)
    try:
        trainer = Trainer.begin(directory, prepared, world, chosen.keys)
        trainer.warnings += unread(config, origins)
        progress = trainer.progress
        trainer.notes += few_updates.remark(config, progress.batches_per_epoch, progress.total_iterations)
        if "train.patience" not in chosen.keys:
            trainer.notes += patience.remark(config, progress.total_iterations)
        return trainer
    except CharrnnError:
        directory.close()
        raise


def _of_the_network(inherited: list[Setting], settings: list[Setting]) -> list[Setting]:
    """Returns what a new run takes over of the configuration of an old one: the network, as far as its task has it."""
    from charrnn.nn.build import OWN_KEYS

    before, now = (resolve(some)[0].task.name for some in (inherited, settings))
    left = () if before == now else tuple(f"model.{name}" for name in OWN_KEYS)
    return [setting for setting in inherited if setting.path.startswith("model.") and setting.path not in left]


def _resume(wanted: Options, world: World | None) -> Trainer:
    from charrnn.runs import moved, places
    from charrnn.runs.directory import RunDirectory
    from charrnn.training import resuming
    from charrnn.training.more import parse
    from charrnn.training.trainer import Trainer

    settings, text = wanted.settings(), wanted.text
    more = None if wanted.more is None else parse(wanted.more)
    if more and (total := _ends(settings)):
        raise ConfigError(
            f"--more {wanted.more} says when the run ends, and so does {total[-1].origin}; leave one of them out"
        )
    if wanted.out is None:
        raise ConfigError(places.without_directory(text))
    places.refuse_as_text(text)
    directory = RunDirectory(wanted.out, resume=True)
    try:
        run, damaged = directory.newest()
        config, _ = resolve(to_settings(run.config, "the run"), settings)
        resuming.refuse_another_configuration(run, config)  # before anything is read as it says
        if not text and run.corpus.is_from_stdin:
            again = resuming.command(run, wanted.out, *(("--more", more) if more else ()))
            raise ConfigError(f"the run learns from standard input, '-'; give the same again: {again}")
        library = common.library()
        common.invite(() if wanted.quiet else text)
        examples = run.task.read(library, text, config.data) if text else _read_again(run, library, wanted, config.data)
        trainer = Trainer.resume(directory, run, config, examples, more, world)
        moved.name_anew(run, examples, library, wanted.out)
        trainer.warnings += trainer.divergence.warn_of_the_last()
        trainer.warnings += [f"{message}; passed over, and kept" for message in damaged]
        going_on = f", and ending after {more.in_words()} more" if more else ""
        trainer.notes.append(f"resuming at iteration {run.iteration:,}{going_on}")
        return trainer
    except BaseException:
        directory.close()
        raise


def _read_again(run: Run, library: Library, wanted: Options, data: DataConfig) -> Examples:
    """Reads what a run learns from. Raises DataError where it is gone, with how it is named anew."""
    from charrnn import advice
    from charrnn.runs.moved import MovedError, read_again

    try:
        return read_again(run, library, wanted.out, data)
    except MovedError as error:
        more = ["--more", wanted.more] if wanted.more else []
        again = advice.command("train", *error.given("PATH"), "-o", wanted.out, "--resume", *wanted.again(), *more)
        raise DataError(f"{error}; give it: {again}") from error


def _train(trainer: Trainer, wanted: Options) -> None:
    from charrnn.training import patience, resuming
    from charrnn.training.more import as_much_again

    place, run, progress = trainer.directory.path, trainer.run, trainer.progress
    display = Display(trainer, wanted.quiet)
    display.say(*_summary(trainer), *trainer.notes)
    for message in trainer.warnings:
        display.warn(message)
    trainer.warn = display.warn
    if progress.complete:
        by = ", where train.patience ended it" if patience.is_over(run) else ""
        raise ConfigError(
            f"{place} is complete at iteration {run.iteration:,}{by}; to do as much again: "
            f"{resuming.command(run, place, *wanted.again(), '--more', as_much_again(progress))}"
        )
    world = trainer.world
    with signals.Noted(patient=world is not None) as noted:
        for record in trainer.records(lambda: launching.heard(world, noted)):
            stopped = launching.heard(world, noted) and not progress.complete
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
                    f"stopped by {signals.name_of(noted.stop)} at iteration {record.iteration:,}, and saved; continue "
                    f"{'under the same launcher ' if world else ''}with: {resuming.command(run, place)}",
                )
    display.close()
    display.say(*ending.words(progress, len(trainer.split.validation or ())), run.task.invite(place))


def _summary(trainer: Trainer) -> list[str]:
    run, config = trainer.run, trainer.run.config
    return [
        f"{run.corpus.name}: {run.task.describe(trainer.split)}",
        f"{common.describe_model(config.model, run.model.num_parameters)}; {config.optim.name} "
        f"{config.optim.learning_rate:g}, seed {config.train.seed}, {trainer.plan}; in {trainer.directory.path}",
    ]
