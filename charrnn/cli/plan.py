"""`charrnn plan`."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn import advice
from charrnn.cli import common, flags
from charrnn.config.resolve import Setting, resolve
from charrnn.errors import ConfigError, one_line

if TYPE_CHECKING:
    from charrnn.planning.plan import RunPlan

MARK = "# A plan of charrnn"
"""How a file begins that this command has written, and may write anew."""


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn plan`: a field for each option."""

    sources: tuple[str, ...]
    config_name: str | None
    assignments: tuple[str, ...]
    flags: dict[str, str]
    out: Path | None
    as_json: bool

    def settings(self) -> list[Setting]:
        """Returns the settings of the configuration that these options ask for, later ones over earlier ones."""
        given = [flags.setting(flag, value) for flag, value in self.flags.items()]
        return [*common.read_config(self.config_name), *common.read_assignments(self.assignments), *given]

    def training(self) -> str:
        """Returns the command that trains what is planned."""
        words: list[object] = ["train", *(word if word == "-" else Path(word) for word in self.sources)]
        if self.out is not None:
            return advice.command(*words, "-c", self.out)
        words += ["-c", self.config_name] if self.config_name else []
        words += [word for assignment in self.assignments for word in ("--set", assignment)]
        words += [word for given in self.flags.items() for word in given]
        return advice.command(*words)


@click.command("plan", short_help="Say what a run will be, before it is one.")
@click.argument("sources", nargs=-1, required=True, metavar="TEXT|PAIRS...")
@common.config_option
@common.set_option
@click.option(
    "-o",
    "--out",
    metavar="FILE.yaml",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the configuration, with every key, for: charrnn train TEXT -c FILE.yaml",
)
@flags.options()
@common.json_option
def command(**options: Any) -> None:
    """Look at TEXT, time a few batches, and say what a run will be: how large, how long, and what is to be thought of.

    It takes the options of `charrnn train`, and leaves nothing behind but the file that -o names.

    \b
    charrnn plan harbour --time-budget 10m
    charrnn plan novel.txt --hidden-size 256 -o plan.yaml
    charrnn train novel.txt -c plan.yaml
    """  # noqa: D301  # click wants the backspace itself
    from charrnn import tasks
    from charrnn.planning.plan import make, with_seed_of
    from charrnn.planning.remarks import remarks
    from charrnn.recipes.choosing import NOTHING, choose
    from charrnn.training.preparing import prepare

    wanted = Options(flags=flags.take(options), **options)
    _refuse_to_overwrite(wanted.out)
    config, _ = resolve(wanted.settings())
    common.invite(wanted.sources)
    examples = tasks.find(config.task.name, config.data).read(common.library(), wanted.sources, config.data)
    chosen = NOTHING
    if wanted.config_name is None:
        chosen = choose(wanted.settings(), examples)
        config, _ = resolve(chosen.settings, wanted.settings())
    prepared = prepare(with_seed_of(config, examples), examples)
    plan = make(prepared, examples)
    ends = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=plan.seconds)
    told = [*prepared.notes, *chosen.notes, *remarks(plan, chosen.keys)]
    if wanted.out is not None:
        _write(plan, wanted, told)
    if wanted.as_json:
        facts = {
            "chosen": chosen.keys,
            "ends_at": ends.isoformat(timespec="seconds"),
            "warnings": told,
            "train": wanted.training(),
        }
        common.print_json(plan.facts() | facts | {"file": None if wanted.out is None else str(wanted.out)})
        return
    for line in [*lines(plan, ends), *(f"recipe:      {line}" for line in [chosen.line] if line)]:
        click.echo(one_line(line))
    for message in told:
        click.echo(f"think of: {one_line(message)}")
    click.echo(f"train it: {wanted.training()}")


def lines(plan: RunPlan, ends: datetime.datetime) -> list[str]:
    """Returns what a plan says in words; `ends` is when the run will end if it begins now."""
    run, timing = plan.prepared.run, plan.timing
    about = "about " if plan.foreseen else ""
    shared = f", {timing.memory_is}" + (", at least" if timing.memory_is == "computed" else "")
    speed = f"{timing.chars_per_s:,.0f} chars/s, {duration(timing.update)} an update, over {timing.updates} of them"
    judged = f"{plan.evaluations:,}, {duration(timing.evaluation)} each" if plan.evaluations else "none"
    return [
        f"text:        {plan.examples.name}: {run.task.describe(plan.prepared.split)}",
        *(f"{name:<12} {told}" for name, told in _of_the_text(plan)),
        f"network:     {common.describe_model(run.config.model, run.model.num_parameters)}",
        f"memory:      {timing.memory / 2**20:,.0f} MiB{shared}",
        f"speed:       {speed}; {plan.shares}",
        f"updates:     {about}{plan.updates:,}, {plan.epochs:,.1f} passes of {plan.batches_per_epoch:,}",
        f"evaluations: {judged}",
        f"time:        {duration(plan.seconds)}; it would end at {ends:%H:%M} on {ends:%d %B}",
    ]


def _of_the_text(plan: RunPlan) -> list[tuple[str, str]]:
    """Returns what there is to say of the characters, the lines and the items, with a name for each."""
    looked, repeats, items = plan.looked, plan.repeats, plan.items
    counted = "" if looked.looked_at == looked.characters else f", of {looked.looked_at:,} that were counted"
    found = [
        ("characters:", f"{looked.characters:,}; {len(looked.counts):,} distinct, {looked.once:,} seen once{counted}"),
    ]
    if items:
        lengths = items["lengths"]
        told = f"{items['items']:,}, of {lengths['least']:,} to {lengths['most']:,} characters, median"
        found.append(("items:", f"{told} {lengths['median']:,}; {repeats.share:.1%} there before"))
        if labels := items.get("labels"):
            first = ", ".join(f"{label} {count:,}" for label, count in list(labels.items())[:5])
            found.append(("labels:", f"{len(labels):,}: {first}{', ...' if len(labels) > 5 else ''}"))
        return found
    kinds = [f"{count:,} {kind}" for kind, count in looked.line_ends.items() if count]
    found.append(("line ends:", ", ".join(kinds) or "none"))
    compared = "" if repeats.looked_at == looked.characters else f" of the first {repeats.looked_at:,} characters"
    leaks = "" if repeats.of_validation is None else f"; {repeats.of_validation:.1%} of what is validated on"
    found.append(("repeated:", f"{repeats.share:.1%}{compared}, in passages that stand before, word for word{leaks}"))
    return found


def duration(seconds: float) -> str:
    """Says how long something takes, in two units at most: `3.2 ms`, `4.1 s`, `12m 05s`, `3h 20m`, `2d 4h`."""
    if seconds < 1:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if seconds < 3600:
        return f"{int(seconds) // 60}m {int(seconds) % 60:02}s"
    return (
        f"{minutes // 60}h {minutes % 60:02}m" if minutes < 48 * 60 else f"{minutes // 1440}d {minutes % 1440 // 60}h"
    )


def _write(plan: RunPlan, wanted: Options, told: list[str]) -> None:
    """Writes the configuration, with every key, for `charrnn train`."""
    from charrnn.config.writing import to_yaml
    from charrnn.files import write_atomically

    assert wanted.out is not None
    text = to_yaml(plan.prepared.run.config)
    head = [MARK, f"for {plan.examples.name}", wanted.training(), *(f"think of: {message}" for message in told)]
    _refuse_to_overwrite(wanted.out)
    write_atomically(wanted.out, ("\n# ".join(map(one_line, head)) + "\n" + text).encode("utf-8", "backslashreplace"))


def _refuse_to_overwrite(path: Path | None) -> None:
    """Raises ConfigError where a plan would take the place of what is none, such as a text."""
    if path is None:
        return
    if str(path) == "-":
        raise ConfigError("'-' is no file to write a plan to; name one, such as plan.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{path} is no name of a configuration; end it in .yaml")
    try:
        found = path.read_bytes()[: len(MARK)]
    except OSError:  # there is none, or what is wrong with it will be told when it is written
        return
    if found and found != MARK.encode():
        raise ConfigError(f"{path} is there already, and is no plan; nothing was written: name another file")
