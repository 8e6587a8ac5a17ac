"""`charrnn gradcheck`."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli import common
from charrnn.config.resolve import resolve
from charrnn.config.schema import ModelConfig, keys
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.gradcheck.check import Row

CELLS = keys()["model.cell"].metadata["choices"]
ACTIVATIONS = keys()["model.activation"].metadata["choices"]


@click.command("gradcheck", short_help="Prove the gradients of an architecture.")
@click.argument("source", required=False, metavar="[CONFIG.yaml|CHECKPOINT]")
@click.option("--cell", "cells", multiple=True, type=click.Choice(CELLS), help="Check this cell (repeatable).")
@click.option(
    "--all",
    "check_all",
    is_flag=True,
    help="Every cell and activation, 1 and 2 layers, each initial state.",
)
@click.option(
    "--oracle",
    type=click.Choice(["finite-difference", "complex-step"]),
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
    """Compare every gradient of an architecture with an oracle that knows only its forward pass.

    The architecture (of a config or checkpoint; the default one if none is given) is built small, in float64, with
    random weights, states, and a dropout mask. Exits with 1 if a gradient is wrong.
    """
    from charrnn.checkpoint import build_model
    from charrnn.gradcheck.subject import VOCAB_SIZE, check_model, small

    if check_all and source:
        raise ConfigError(f"--all checks every architecture; leave out {source}")
    base = _model_config(source)
    results = []
    for config in _variants(base, cells, check_all, oracle):
        if not _can_judge(oracle, config.activation):
            raise ConfigError("the complex step cannot judge relu, which compares; use --oracle finite-difference")
        rows = check_model(small(build_model(config, VOCAB_SIZE)), oracle)
        results.append((config, rows))
        if not as_json:
            _print_table(config, rows, oracle)
    failed = sum(not row.ok for _, rows in results for row in rows)
    worst = max(row.error for _, rows in results for row in rows)
    if as_json:
        common.print_json(
            {
                "oracle": oracle,
                "ok": not failed,
                "worst_error": worst,
                "checks": [
                    {**_title(config), "rows": [{**dataclasses.asdict(row), "ok": row.ok} for row in rows]}
                    for config, rows in results
                ],
            }
        )
    else:
        checked = sum(row.checked for _, rows in results for row in rows)
        verdict = f"{failed} FAILED" if failed else "all ok"
        click.echo(f"{checked:,} coordinates, worst relative error {worst:.1e}: {verdict}")
    ctx.exit(1 if failed else 0)


def _model_config(source: str | None) -> ModelConfig:
    """Of a config, a checkpoint or a run directory; the default where there is none."""
    path = common.find_config(source) if source else None
    if source and path and path.suffix not in (".yaml", ".yml") and (path.exists() or path.suffix == ".npz"):
        from charrnn import checkpoint

        return checkpoint.load(Path(source)).config.model
    return resolve(common.read_config(source))[0].model


def _variants(base: ModelConfig, cells: tuple[str, ...], check_all: bool, oracle: str) -> list[ModelConfig]:
    if not check_all:
        return [_with_cell(base, cell) for cell in cells or [base.cell]]
    return [
        dataclasses.replace(
            _with_cell(base, cell), num_layers=layers, initial_state=state, activation=activation, dropout=0.3
        )
        for cell, layers, state in itertools.product(cells or CELLS, (1, 2), ("zero", "learned"))
        for activation in (ACTIVATIONS if cell == "rnn" else ("tanh",))
        if _can_judge(oracle, activation)
    ]


def _can_judge(oracle: str, activation: str) -> bool:
    """The complex step cannot judge relu, which compares."""
    return not (oracle == "complex-step" and activation == "relu")


def _with_cell(base: ModelConfig, cell: str) -> ModelConfig:
    activation = base.activation if cell == "rnn" else "tanh"
    return dataclasses.replace(base, cell=cell, activation=activation)


def _title(config: ModelConfig) -> dict[str, Any]:
    return {
        "cell": config.cell,
        "activation": config.activation,
        "num_layers": config.num_layers,
        "initial_state": config.initial_state,
        "dropout": config.dropout,
    }


def _print_table(config: ModelConfig, rows: list[Row], oracle: str) -> None:
    name = f"{config.cell} ({config.activation})" if config.cell == "rnn" else config.cell
    layers = "1 layer" if config.num_layers == 1 else f"{config.num_layers} layers"
    click.echo(f"{name}, {layers}, {config.initial_state} initial state, dropout {config.dropout:g}, against {oracle}")
    click.echo(f"  {'parameter':<16}{'shape':<10}{'checked':>7}  {'error':>8}  {'at':<9}{'gradient':>14}{'oracle':>14}")
    for row in rows:
        shape = "x".join(map(str, row.shape))
        where = ",".join(map(str, row.where))
        click.echo(
            f"  {row.name:<16}{shape:<10}{row.checked:>7}  {row.error:>8.1e}  {where:<9}"
            f"{row.analytic:>14.8f}{row.oracle:>14.8f}  {'ok' if row.ok else 'FAIL'}"
        )
    click.echo()
