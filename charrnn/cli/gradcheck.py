"""`charrnn gradcheck`."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import multiprocessing.connection
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli import common, signals
from charrnn.config.resolve import resolve
from charrnn.config.schema import keys
from charrnn.errors import ConfigError
from charrnn.judging.gradcheck import ORACLES
from charrnn.nn.options import ModelConfig

if TYPE_CHECKING:
    from charrnn.judging.gradcheck.check import Row

    Results = list[tuple[ModelConfig, list[Row]]]
    """Each architecture that was checked, with a row for each of its parameters."""

CELLS = keys()["model.cell"].metadata["choices"]
ACTIVATIONS = keys()["model.activation"].metadata["choices"]
INITIAL_STATES = keys()["model.initial_state"].metadata["choices"]
MANY = 20
"""Checks from which on processes are worth starting."""


@click.command("gradcheck", short_help="Prove the gradients of an architecture.")
@click.argument("source", required=False, metavar="[CONFIG.yaml|CHECKPOINT]")
@click.option(
    "--cell", "cells", multiple=True, type=click.Choice(CELLS), metavar="CELL", help="Check this cell (repeatable)."
)
@click.option(
    "--all",
    "check_all",
    is_flag=True,
    help="Every cell and activation, 1 and 2 layers, each initial state and regularizer.",
)
@click.option(
    "--oracle",
    type=click.Choice(list(ORACLES)),
    default="finite-difference",
    show_default=True,
    help="What the gradients are compared with.",
)
@common.json_option
@click.pass_context
def command(
    ctx: click.Context,
    source: str | None,
    cells: tuple[str, ...],
    check_all: bool,
    oracle: str,
    as_json: bool,
) -> None:
    """Compare every gradient of an architecture with an oracle that has no part in its backward pass.

    The architecture (of a config or checkpoint; the default one if none is given) is built small, in float64, with
    random weights, states, and a dropout mask. Exits with 1 if a gradient is wrong.
    """
    if check_all and source:
        raise ConfigError(f"--all checks every architecture; leave out {source}")
    base = _model_config(source)
    asked = list(_all(cells)) if check_all else [_with_cell(base, cell) for cell in cells or [base.cell]]
    declined = {k: reason for k, config in enumerate(asked) if (reason := _declines(config, oracle))}
    if declined and (not check_all or len(declined) == len(asked)):
        raise ConfigError(f"{next(iter(declined.values()))}; choose another --oracle")
    configs = [config for k, config in enumerate(asked) if k not in declined]
    results = []
    for config, rows in zip(configs, _check(configs, oracle), strict=True):
        results.append((config, rows))
        if not as_json:
            _print_table(config, rows, oracle)
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
        {**_title(config), "rows": [{**dataclasses.asdict(row), "ok": row.ok} for row in rows]}
        for config, rows in results
    ]


def _print_verdict(results: Results) -> None:
    rows = [row for _, rows in results for row in rows]
    failed, checked = sum(not row.ok for row in rows), sum(row.checked for row in rows)
    verdict = f"{failed} FAILED" if failed else "all ok"
    click.echo(f"{checked:,} coordinates, worst relative error {max(row.error for row in rows):.1e}: {verdict}")


def _model_config(source: str | None) -> ModelConfig:
    """Returns the section `model` of a config, a checkpoint or a run directory; the default where there is none."""
    if source and common.is_checkpoint(source):
        from charrnn.runs import checkpoint

        return checkpoint.load(Path(source)).config.model
    return resolve(common.read_config(source))[0].model


def _all(cells: tuple[str, ...]) -> Iterator[ModelConfig]:
    """Yields every architecture: for each cell, stacks with each initial state and dropout, then each regularizer."""
    from charrnn.nn.cells import build

    for cell in cells or CELLS:
        kind = build(cell)
        options: list[dict[str, Any]] = [
            {"num_layers": layers, "initial_state": state, "dropout": 0.3}
            for layers, state in itertools.product((1, 2), INITIAL_STATES)
        ]
        options += [{"dropout": 0.3, "dropout_per": "window"}, {"zoneout_h": 0.3}]
        if "c" in kind.state:
            options += [{"zoneout_c": 0.3}]
        if kind.has_candidate:
            options += [{"recurrent_dropout": 0.3}]
        if kind.product == "added":
            options += [{"layer_norm": True}]
        options += [{"bidirectional": True}]
        for activation in ACTIVATIONS if cell == "rnn" else ("tanh",):
            for chosen in options:
                yield ModelConfig(cell=cell, activation=activation, **chosen)


def _check(configs: list[ModelConfig], oracle: str) -> Iterator[list[Row]]:
    """Yields the rows of each check; where there are many, they are shared among the cores."""
    from charrnn.cores import available_cores

    cores = available_cores()
    if len(configs) < MANY or cores == 1:
        yield from map(_check_one, configs, itertools.repeat(oracle))
        return
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), initializer=_end_with_parent) as pool:
        with signals.interrupts_held():  # from the processes that begin here: Ctrl-C goes to all, and is for us
            results = pool.map(_check_one, configs, itertools.repeat(oracle))
        yield from results


def _end_with_parent() -> None:
    """Lets this process end when the one that started it does, however that dies; else it would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _check_one(config: ModelConfig, oracle: str) -> list[Row]:
    from threadpoolctl import threadpool_limits

    from charrnn.judging.gradcheck.subject import VOCAB_SIZE, check_model, small
    from charrnn.nn.build import build_model

    with threadpool_limits(1, user_api="blas"):  # networks so small are slower on two
        return check_model(small(build_model(config, VOCAB_SIZE)), oracle)


def _declines(config: ModelConfig, oracle: str) -> str:
    """Says why the oracle cannot judge it; empty if it can."""
    from charrnn.judging.gradcheck import load
    from charrnn.judging.gradcheck.subject import VOCAB_SIZE
    from charrnn.nn.build import build_model

    return load(oracle).declines(build_model(config, VOCAB_SIZE))


def _with_cell(base: ModelConfig, cell: str) -> ModelConfig:
    activation = base.activation if cell == "rnn" else "tanh"
    return dataclasses.replace(base, cell=cell, activation=activation)


def _title(config: ModelConfig) -> dict[str, Any]:
    """Returns what is checked: the cell, and all that is not as by default."""
    always = ("cell", "activation", "num_layers", "initial_state", "dropout")
    chosen = dataclasses.asdict(config)
    of_sizes = ("hidden_size", "init", "init_scale", "forget_bias", "state_noise")
    rest = {k: v for k, v in chosen.items() if k not in (*always, *of_sizes) and v != getattr(ModelConfig(), k)}
    return {**{k: chosen[k] for k in always}, **rest}


def _print_table(config: ModelConfig, rows: list[Row], oracle: str) -> None:
    title = _title(config)
    name = f"{config.cell} ({config.activation})" if config.cell == "rnn" else config.cell
    layers = "1 layer" if config.num_layers == 1 else f"{config.num_layers} layers"
    rest = [f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in list(title.items())[4:]]
    click.echo(f"{name}, {layers}, {config.initial_state} initial state, {', '.join(rest)}, against {oracle}")
    click.echo(f"  {'parameter':<18}{'shape':<10}{'checked':>7}  {'error':>8}  {'at':<9}{'gradient':>14}{'oracle':>14}")
    for row in rows:
        shape = "x".join(map(str, row.shape))
        where = ",".join(map(str, row.where))
        click.echo(
            f"  {row.name:<18}{shape:<10}{row.checked:>7}  {row.error:>8.1e}  {where:<9}"
            f"{row.analytic:>14.8f}{row.oracle:>14.8f}  {'ok' if row.ok else 'FAIL'}"
        )
    click.echo()
