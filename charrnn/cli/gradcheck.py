"""`charrnn gradcheck`."""

from __future__ import annotations

import collections
import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from charrnn import tasks
from charrnn.cli import common, processes
from charrnn.config.resolve import Setting, is_set, resolve
from charrnn.config.schema import keys
from charrnn.config.writing import to_settings
from charrnn.errors import ConfigError
from charrnn.judging.gradcheck import ORACLES
from charrnn.nn.options import ModelConfig
from charrnn.tasks import TASKS

if TYPE_CHECKING:
    from charrnn.config.schema import Config
    from charrnn.judging.gradcheck.check import Row
    from charrnn.tasks.base import Task

CELLS = keys()["model.cell"].metadata["choices"]
KEYS = {path for path in keys() if path.startswith(("model.", "task."))}
"""Keys that --set may change."""

DRAWN = ("model.hidden_size", "model.init", "model.init_scale", "model.forget_bias")
"""Keys in whose place the check has values of its own."""


class Check(NamedTuple):
    """Is one network whose gradients are to be checked."""

    name: str
    """The name of the task."""
    task: type[Task]
    config: ModelConfig


Results = list[tuple[Check, "list[Row]"]]
"""Each network that was checked, with a row for each of its parameters."""


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn gradcheck`: a field for each option."""

    source: str | None
    cells: tuple[str, ...]
    check_all: bool
    task: str | None
    assignments: tuple[str, ...]
    oracle: str
    as_json: bool


@click.command("gradcheck", short_help="Prove the gradients of an architecture.")
@click.argument("source", required=False, metavar="[CONFIG.yaml|CHECKPOINT]")
@click.option(
    "--cell", "cells", multiple=True, type=click.Choice(CELLS), metavar="CELL", help="Check this cell (repeatable)."
)
@click.option(
    "--all",
    "check_all",
    is_flag=True,
    help="Every task, cell and activation, 1 and 2 layers, each initial state and regularizer, pooling and context.",
)
@click.option("--task", type=click.Choice(list(TASKS)), help="Check a network of this task.")
@common.set_option
@click.option(
    "--oracle",
    type=click.Choice(list(ORACLES)),
    default="finite-difference",
    show_default=True,
    help="What the gradients are compared with.",
)
@common.json_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Compare every gradient of an architecture with an oracle that has no part in its backward pass.

    The architecture (of a config or checkpoint; the default one if none is given) is built small, in float64, with
    random weights, states, and a dropout mask. Exits with 1 if a gradient is wrong.

    \b
    charrnn gradcheck --cell gru --oracle textbook
    charrnn gradcheck --task transduce --set model.context=affine
    """  # noqa: D301  # click wants the backspace itself
    wanted = Options(**options)
    oracle, check_all, as_json = wanted.oracle, wanted.check_all, wanted.as_json
    if check_all and (wanted.source or wanted.assignments):
        raise ConfigError(f"--all checks every architecture; leave out {wanted.source or '--set'}")
    asked = _every(wanted.cells, wanted.task) if check_all else _chosen(_configuration(wanted), wanted.cells)
    declined = {k: reason for k, one in enumerate(asked) if (reason := _declines(one, oracle))}
    if declined and (not check_all or len(declined) == len(asked)):
        for one in asked:
            one.task.probe(one.config)  # raises, and says what to do, where it is the task that declines
        raise ConfigError(f"{next(iter(declined.values()))}; choose another --oracle")
    checks = [one for k, one in enumerate(asked) if k not in declined]
    results = []
    for one, rows in zip(checks, processes.mapped(partial(_run_one, oracle=oracle), checks), strict=True):
        results.append((one, rows))
        if not as_json:
            _print_table(one, rows, oracle)
    if as_json:
        left_out = [{**_title(asked[k]), "reason": reason} for k, reason in declined.items()]
        common.print_json({"oracle": oracle, **_verdict(results), "left_out": left_out, "checks": _checks(results)})
    else:
        for reason, count in collections.Counter(declined.values()).items():
            click.echo(f"{count} left out: {reason}")
        _print_verdict(results)
    ctx.exit(0 if _verdict(results)["ok"] else 1)


def _verdict(results: Results) -> dict[str, Any]:
    rows = [row for _, rows in results for row in rows]
    return {"ok": all(row.ok for row in rows), "worst_error": max(row.error for row in rows)}


def _checks(results: Results) -> list[dict[str, Any]]:
    """Returns all rows as JSON has them."""
    return [
        {**_title(check), "rows": [{**dataclasses.asdict(row), "ok": row.ok} for row in rows]}
        for check, rows in results
    ]


def _print_verdict(results: Results) -> None:
    rows = [row for _, rows in results for row in rows]
    failed, checked = sum(not row.ok for row in rows), sum(row.checked for row in rows)
    verdict = f"{failed} FAILED" if failed else "all ok"
    click.echo(f"{checked:,} coordinates, worst relative error {max(row.error for row in rows):.1e}: {verdict}")


def _configuration(wanted: Options) -> Config:
    """Returns that of a config, a checkpoint or a run directory, or the default one, with what was changed in it."""
    source, task, settings = wanted.source, wanted.task, common.read_assignments(wanted.assignments)
    for setting in settings:
        if setting.path in keys() and setting.path not in KEYS:
            raise ConfigError(f"{setting.origin}: no gradient depends on it; leave it out")
    if task:
        settings.append(Setting("task.name", task, f"--task {task}"))
    if source and common.is_checkpoint(source):
        from charrnn.runs import checkpoint

        return resolve(to_settings(checkpoint.load(Path(source)).config, source), settings)[0]
    config, origins = resolve(common.read_config(source), settings)
    for path in (path for path in DRAWN if is_set(origins[path])):
        common.say(f"{origins[path]}: the network is built small, with weights of its own; {path} is not looked at")
    return config


def _chosen(config: Config, cells: tuple[str, ...]) -> list[Check]:
    """Returns the network of a configuration, or one with each of the cells."""
    name, model = config.task.name, config.model
    with_cells = [
        dataclasses.replace(model, cell=cell, activation=model.activation if cell == "rnn" else "tanh")
        for cell in cells or [model.cell]
    ]
    kind = tasks.find(name, config.data)
    return [Check(name, kind, one) for one in with_cells]


def _every(cells: tuple[str, ...], task: str | None) -> list[Check]:
    """Returns every architecture of the task, or of the first; and of the others, what differs in their networks."""
    from charrnn.judging.gradcheck.architectures import above_the_layers, architectures, few_architectures
    from charrnn.judging.gradcheck.subject import small

    checks: list[Check] = []
    for name in [task] if task else TASKS:
        kind = tasks.find(name)
        network, _ = kind.probe(small(ModelConfig()))
        of_layers = few_architectures if checks else architectures
        of_cell = "lstm" if not cells or "lstm" in cells else cells[0]
        above = above_the_layers(of_cell, vars(network))
        checks += [Check(name, kind, config) for config in (*of_layers(cells or CELLS), *above)]
    return checks


def _run_one(check: Check, oracle: str) -> list[Row]:
    from threadpoolctl import threadpool_limits

    from charrnn.judging.gradcheck.subject import check_model, small

    model, draw = check.task.probe(small(check.config))
    with threadpool_limits(1, user_api="blas"):  # networks so small are slower on two
        return check_model(model, oracle, draw=draw)


def _declines(check: Check, oracle: str) -> str:
    """Says why there is no such network, or the oracle cannot judge it; empty if it can."""
    from charrnn.judging.gradcheck import load
    from charrnn.judging.gradcheck.subject import small

    try:
        model, _ = check.task.probe(small(check.config))
    except ConfigError as error:
        return error.messages[0]
    return load(oracle).declines(model)


def _title(check: Check) -> dict[str, Any]:
    """Returns what is checked: the task, the cell, and all that is not as by default."""
    always = ("cell", "activation", "num_layers", "initial_state", "dropout")
    chosen = dataclasses.asdict(check.config)
    of_sizes = ("hidden_size", "init", "init_scale", "forget_bias", "state_noise")
    rest = {k: v for k, v in chosen.items() if k not in (*always, *of_sizes) and v != getattr(ModelConfig(), k)}
    return {"task": check.name, **{k: chosen[k] for k in always}, **rest}


def _print_table(check: Check, rows: list[Row], oracle: str) -> None:
    title, config = _title(check), check.config
    name = f"{config.cell} ({config.activation})" if config.cell == "rnn" else config.cell
    layers = "1 layer" if config.num_layers == 1 else f"{config.num_layers} layers"
    rest = [f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in list(title.items())[5:]]
    click.echo(
        f"{name} of {check.name}, {layers}, {config.initial_state} initial state, {', '.join(rest)}, against {oracle}"
    )
    width = max(18, *(len(row.name) + 2 for row in rows))
    click.echo(
        f"  {'parameter':<{width}}{'shape':<10}{'checked':>7}  {'error':>8}  {'at':<9}{'gradient':>14}{'oracle':>14}"
    )
    for row in rows:
        shape = "x".join(map(str, row.shape))
        where = ",".join(map(str, row.where))
        click.echo(
            f"  {row.name:<{width}}{shape:<10}{row.checked:>7}  {row.error:>8.1e}  {where:<9}"
            f"{row.analytic:>14.8f}{row.oracle:>14.8f}  {'ok' if row.ok else 'FAIL'}"
        )
    click.echo()
