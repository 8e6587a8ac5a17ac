"""`charrnn gradflow`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from charrnn.cli import common
from charrnn.config.resolve import resolve
from charrnn.config.schema import keys
from charrnn.errors import ConfigError
from charrnn.nn.options import ModelConfig

if TYPE_CHECKING:
    from charrnn.arrays import Array
    from charrnn.nn.model import CharLM
    from charrnn.nn.parameters import Parameters
    from charrnn.pages.chart import Curve

CELLS = keys()["model.cell"].metadata["choices"]
KEYS = {path for path in keys() if path.startswith("model.")}
"""Keys that --set may change."""
ROWS, VOCAB_SIZE, SEED = 32, 65, 0
"""Texts that are averaged over, and for networks that were not trained, characters, and the seed of all."""

SHOWN = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Steps back for which the table has a column, as far as the text reaches."""

Shares = dict[str, dict[str, dict[str, float]]]
"""By network, gate and side, the share of the gate's values that are saturated, or of its units that are dead."""


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn gradflow`: a field for each option."""

    source: str | None
    cells: tuple[str, ...]
    assignments: tuple[str, ...]
    scales: tuple[float, ...]
    length: int
    saturation: bool
    plot: Path | None
    as_json: bool


class Measured(NamedTuple):
    """Holds a network that is measured."""

    name: str
    model: CharLM
    params: Parameters
    is_trained: bool


@click.command("gradflow", short_help="See how far back gradients reach.")
@click.argument("source", required=False, metavar="[CONFIG|CHECKPOINT]")
@click.option(
    "--cell", "cells", multiple=True, type=click.Choice(CELLS), metavar="CELL", help="Of this cell (repeatable)."
)
@common.set_option
@click.option(
    "--scale",
    "scales",
    multiple=True,
    type=click.FloatRange(min=0),
    metavar="S",
    help="With recurrent weights times S (repeatable).",
)
@click.option("--length", type=click.IntRange(2, 10_000), default=100, show_default=True, help="Steps to go back.")
@click.option("--saturation", is_flag=True, help="Count saturated gates and dead units too.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="Draw the curves to a file.",
)
@common.json_option
def command(**options: Any) -> None:
    """Measure how the gradient of one character's loss shrinks or grows on its way back through the states before.

    Without CONFIG, CHECKPOINT, --cell or --set, it compares the plain RNN's activations, the GRU, and the LSTM with
    several forget biases, as they are before training. A CHECKPOINT reads a text that it writes itself; others read
    random characters.

    \b
    charrnn gradflow --cell rnn --cell lstm
    """  # noqa: D301  # click wants the backspace itself
    wanted = Options(**options)
    common.refuse_to_overwrite(wanted.plot)
    curves, shares = _measure(wanted)
    if wanted.plot:
        from charrnn.pages.chart import draw

        title = "Gradient of one step's loss by earlier states, relative to the last"
        common.write_page(draw(curves, title, "steps back"), wanted.plot)
    if wanted.as_json:
        gradients = {curve.name: curve.values.tolist() for curve in curves}
        common.print_json({"gradients": gradients, "saturation": shares} if wanted.saturation else gradients)
        return
    _print_table(curves)
    if wanted.saturation:
        _print_shares(shares)


def _measure(wanted: Options) -> tuple[list[Curve], Shares]:
    """Returns a curve for each network and, if they are wanted, the shares of its saturated and dead gates."""
    from charrnn.judging import gradflow
    from charrnn.pages.chart import Curve

    curves, shares = [], {}
    for network in _networks(wanted):
        ids = _text(network, wanted.length)
        gradient = gradflow.gradient_norms(network.model, network.params, ids)["state"]
        if not math.isfinite(gradient.sum()):
            raise ConfigError(
                f"{network.name}: it overflows within {wanted.length} steps; give a smaller --length or --scale"
            )
        curves.append(Curve(network.name, gradient / max(gradient[0], 1e-300)))
        if wanted.saturation:
            shares[network.name] = gradflow.saturation(network.model, network.params, ids)
    return curves, shares


def _text(network: Measured, length: int) -> Array:
    """Returns what the network reads: `length + 2` characters, in ROWS texts: (length + 2, ROWS)."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    ids = rng.integers(network.model.vocab_size, size=(length + 2, ROWS))
    if network.is_trained:
        from charrnn.sampling import generate

        texts = generate(network.model, network.params, ids[0, :1], rng, ROWS)
        ids = np.array([next(texts) for _ in range(length + 2)])
    return ids


def _networks(wanted: Options) -> list[Measured]:
    source, cells, assignments, scales = wanted.source, wanted.cells, wanted.assignments, wanted.scales
    if source and common.is_checkpoint(source):
        for option, given in (("--cell", cells), ("--set", assignments), ("--scale", scales)):
            if given:
                raise ConfigError(f"{option} is for networks that are not trained yet; leave out {source}")
        return [_trained(source)]
    if not all(map(math.isfinite, scales)):
        raise ConfigError("--scale: what the recurrent weights are multiplied by must be a finite number")
    settings = common.read_assignments(assignments)
    for setting in settings:
        if setting.path in keys() and setting.path not in KEYS:
            raise ConfigError(f"{setting.origin}: it does not change a network that is not trained yet")
    base = resolve(common.read_config(source), settings)[0].model
    chosen = {cell: dataclasses.replace(base, cell=cell) for cell in cells}
    if not cells:
        chosen = {source or base.cell: base} if source or settings else _all_kinds(base)
    return [
        _untrained(name if scale is None else f"{name}, W_h * {scale:g}", config, scale)
        for name, config in chosen.items()
        for scale in scales or (None,)
    ]


def _trained(source: str) -> Measured:
    from charrnn.runs import checkpoint
    from charrnn.tasks.language_model import language_model_of

    run = checkpoint.load(Path(source))
    _, model = language_model_of(run.task, run.model, Path(source))
    return Measured(source, model, run.weights, True)


def _untrained(name: str, config: ModelConfig, scale: float | None) -> Measured:
    import numpy as np

    from charrnn.judging.gradflow import scale_recurrent
    from charrnn.nn.build import build_model

    model = build_model(config, VOCAB_SIZE)
    if model.bidirectional:
        raise ConfigError("model.bidirectional: gradients of a model that reads both ways do not only go back")
    rng = np.random.default_rng(SEED)
    params = model.init_params(rng, np.float64, config.init, config.init_scale, config.forget_bias)
    if scale is not None:
        scale_recurrent(model, params, scale)
    return Measured(name, model, params, False)


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
    from charrnn.pages.chart import bars

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


def _print_shares(shares: Shares) -> None:
    """Prints a line for each network: for each gate what share of its values is saturated, or of its units dead."""
    width = max(map(len, shares))
    click.echo("\nsaturated, % low/high: gates below 0.05/above 0.95, tanh below -0.9/above 0.9; dead: always 0")
    for name, gates in shares.items():
        words = []
        for gate, sides in gates.items():
            percents = "/".join(f"{100 * share:.1f}" for share in sides.values())
            words.append(f"{gate} {percents}{' dead' if 'dead' in sides else ''}")
        click.echo(f"{name:<{width}}  {'  '.join(f'{one:<12}' for one in words).rstrip()}")
