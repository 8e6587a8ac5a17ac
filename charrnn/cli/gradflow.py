"""`charrnn gradflow`."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli import common
from charrnn.config.resolve import resolve
from charrnn.config.schema import keys
from charrnn.errors import ConfigError
from charrnn.nn.options import ModelConfig

if TYPE_CHECKING:
    from charrnn.arrays import Array
    from charrnn.cli.chart import Curve
    from charrnn.nn.model import CharLM
    from charrnn.nn.parameters import Parameters

CELLS = keys()["model.cell"].metadata["choices"]
ROWS, VOCAB_SIZE, SEED = 32, 65, 0
"""Texts that are averaged over, and for networks that were not trained, characters, and the seed of all."""

SHOWN = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Steps back for which the table has a column, as far as the text reaches."""


@click.command("gradflow", short_help="See how far back gradients reach.")
@click.argument("source", required=False, metavar="[CONFIG|CHECKPOINT]")
@click.option(
    "--cell", "cells", multiple=True, type=click.Choice(CELLS), metavar="CELL", help="Of this cell (repeatable)."
)
@click.option("--length", type=click.IntRange(2, 10_000), default=100, show_default=True, help="Steps to go back.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="Draw the curves to a file.",
)
@common.json_option
def command(source: str | None, cells: tuple[str, ...], length: int, plot: Path | None, as_json: bool) -> None:
    """Measure how the gradient of one character's loss shrinks or grows on its way back through the states before.

    Without CONFIG or CHECKPOINT, it compares the plain RNN's activations, the GRU, and the LSTM with several forget
    biases, as they are before training. A CHECKPOINT reads a text that it writes itself; others read random characters.
    """
    from charrnn.cli.chart import Curve, draw

    curves = [Curve(name, gradient / max(gradient[0], 1e-300)) for name, gradient in _measure(source, cells, length)]
    if plot:
        from charrnn.files import write_atomically

        title = "Gradient of one step's loss by earlier states, relative to the last"
        write_atomically(plot, draw(curves, title, "steps back").encode())
    if as_json:
        common.print_json({curve.name: curve.values.tolist() for curve in curves})
        return
    _print_table(curves)


def _measure(source: str | None, cells: tuple[str, ...], length: int) -> list[tuple[str, Array]]:
    """Returns the name of each network, and the norms of its gradient."""
    import numpy as np

    from charrnn.judging.gradflow import gradient_norms

    found = []
    rng = np.random.default_rng(SEED)
    for name, model, params, trained in _networks(source, cells):
        ids = rng.integers(model.vocab_size, size=(length + 2, ROWS))
        if trained:
            from charrnn.sampling import generate

            texts = generate(model, params, ids[0, :1], rng, ROWS)
            ids = np.array([next(texts) for _ in range(length + 2)])
        found.append((name, gradient_norms(model, params, ids)["state"]))
    return found


def _networks(source: str | None, cells: tuple[str, ...]) -> list[tuple[str, CharLM, Parameters, bool]]:
    """Returns, for each network, its name, itself, its parameters, and whether they were trained."""
    import numpy as np

    from charrnn.nn.build import build_model
    from charrnn.runs import checkpoint
    from charrnn.tasks.language_model import language_model_of

    path = common.find_config(source) if source else None
    if source and path and path.suffix not in (".yaml", ".yml") and (path.exists() or path.suffix == ".npz"):
        if cells:
            raise ConfigError(f"--cell is for networks that are not trained yet; leave out {source}")
        run = checkpoint.load(Path(source))
        _, trained = language_model_of(run.task, run.model)
        return [(source, trained, run.weights, True)]
    base = resolve(common.read_config(source))[0].model
    chosen = {cell: dataclasses.replace(base, cell=cell) for cell in cells}
    if not cells:
        chosen = {source: base} if source else _all_kinds(base)
    networks = []
    for name, config in chosen.items():
        model = build_model(config, VOCAB_SIZE)
        if model.bidirectional:
            raise ConfigError("model.bidirectional: gradients of a model that reads both ways do not only go back")
        rng = np.random.default_rng(SEED)
        params = model.init_params(rng, np.float64, config.init, config.init_scale, config.forget_bias)
        networks.append((name, model, params, False))
    return networks


def _all_kinds(base: ModelConfig) -> dict[str, ModelConfig]:
    """Returns what is compared where nothing else is asked for."""
    kinds = {
        f"rnn, {activation}": dataclasses.replace(base, cell="rnn", activation=activation)
        for activation in ("sigmoid", "tanh", "relu")
    }
    kinds["gru"] = dataclasses.replace(base, cell="gru")
    return kinds | {
        f"lstm, forget bias {bias:g}": dataclasses.replace(base, cell="lstm", forget_bias=bias)
        for bias in (0.0, 1.0, 2.0, 4.0)
    }


def _print_table(curves: list[Curve]) -> None:
    """Prints some of the numbers of each curve, and all of it as a line of bars."""
    from charrnn.cli.chart import bars

    steps = [k for k in SHOWN if k < len(curves[0].values)]
    width = max(len(curve.name) for curve in curves)
    click.echo(f"{'steps back':<{width}}" + "".join(f"{k:>9}" for k in steps))
    for curve in curves:
        click.echo(f"{curve.name:<{width}}" + "".join(f"{curve.values[k]:>9.1e}" for k in steps))
    low = max(-12, min(math.floor(math.log10(max(float(v), 1e-300))) for curve in curves for v in curve.values))
    high = max(0, max(math.ceil(math.log10(max(float(v), 1e-300))) for curve in curves for v in curve.values))
    click.echo(f"\n{'':<{width}}  from the last step back; bars from 1e{low} to 1e{high}")
    for curve in curves:
        click.echo(f"{curve.name:<{width}}  {bars(curve.values, low, high)}")
