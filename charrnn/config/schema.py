"""Every key of a configuration: type, default, range and help, in frozen dataclasses.

They are the one table of keys. From it come the checks of `resolve`, the errors' nearest key, `charrnn config schema`,
and the table in `docs/configuration.md` (a test compares them).
"""

from __future__ import annotations

import codecs
import dataclasses
import functools
import math
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from charrnn.nn.cells import ACTIVATIONS, CELLS


def key(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] = (),
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    parse: Callable[[Any], Any] | None = None,
) -> Any:
    """A field of a section, with what is allowed; `parse` makes what is kept of what is read, or raises ValueError."""
    metadata = {
        "help": help,
        "choices": tuple(choices),
        "at_least": at_least,
        "above": above,
        "below": below,
        "at_most": at_most,
        "parse": parse,
    }
    return field(default=default, metadata=metadata)


def parse_duration(value: Any) -> float | None:
    """Seconds of 90, "90", "90s", "10m" or "1h30m". Raises ValueError."""
    if value is None or type(value) in (int, float):
        seconds = value
    else:
        match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", str(value).strip())
        if not match or not any(match.groups()):
            raise ValueError("a duration such as 90s, 10m or 1h30m")
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    if seconds is not None and not 0 < seconds < math.inf:
        raise ValueError("a duration longer than nothing")
    return None if seconds is None else float(seconds)


def _parse_encoding(value: Any) -> str:
    name = str(value)
    try:
        known = name == "bytes" or codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        known = False
    if not known:
        raise ValueError("'bytes' or the name of an encoding that Python knows, such as utf-8")
    return name


def _parse_split(value: Any) -> tuple[float, float, float]:
    a = b = c = -1.0
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(part) in (int, float) for part in value):
        a, b, c = (float(part) for part in value)
    if not min(a, b, c) >= 0 or a == 0 or not math.isclose(a + b + c, 1, abs_tol=1e-6):
        raise ValueError("three numbers that add up to 1, for training, validation and test: [0.9, 0.05, 0.05]")
    return a, b, c


@dataclass(frozen=True)
class DataConfig:
    """How a text is read and cut."""

    encoding: str = key(
        "utf-8",
        "of the text; `bytes` makes each byte a symbol, whatever it means",
        parse=_parse_encoding,
    )
    split: tuple[float, float, float] = key(
        (0.9, 0.05, 0.05), "shares for training, validation and test", parse=_parse_split
    )
    split_by: str = key(
        "tail",
        "`tail` cuts the text in three; `columns` cuts each of the streams, as char-rnn does",
        choices=("tail", "columns"),
    )


@dataclass(frozen=True)
class ModelConfig:
    """What the network is."""

    cell: str = key("lstm", "the recurrent cell", choices=tuple(CELLS))
    hidden_size: int = key(128, "H, units of each layer", at_least=1, at_most=65536)
    num_layers: int = key(1, "L, layers on top of each other", at_least=1, at_most=64)
    activation: str = key("tanh", "of the cell `rnn` alone", choices=ACTIVATIONS)
    bidirectional: bool = key(
        False,
        "layers that read the text from its end too; `gradcheck` takes them, `train` refuses them: they see what comes",
    )
    layer_norm: bool = key(False, "normalizes the pre-activations of each gate, for cells whose product simply adds")
    initial_state: str = key(
        "zero",
        "of a text: `zero`, `learned` as parameters, or `random` noise in training",
        choices=("zero", "random", "learned"),
    )
    state_noise: float = key(0.1, "standard deviation of `initial_state: random`", at_least=0)
    dropout: float = key(
        0.0,
        "probability, on the inputs of layers above the first and of the output layer",
        at_least=0,
        below=1,
    )
    dropout_per: str = key(
        "step", "whether `dropout` draws a mask for each step, or one for the whole window", choices=("step", "window")
    )
    recurrent_dropout: float = key(0.0, "probability, on the candidate of a gated cell", at_least=0, below=1)
    zoneout_h: float = key(0.0, "probability that a unit's h keeps its old value for a step", at_least=0, below=1)
    zoneout_c: float = key(0.0, "the same for c, of cells that have one", at_least=0, below=1)
    forget_bias: float = key(1.0, "the LSTM's forget gate's bias at initialization")
    init: str = key(
        "he",
        "how weights begin; `orthogonal` is for the recurrent rows, with `glorot` for the rest",
        choices=("he", "uniform", "glorot", "orthogonal"),
    )
    init_scale: float = key(0.08, "r of `init: uniform`, which draws from [-r, r]", above=0)


@dataclass(frozen=True)
class TrainConfig:
    """How long, in what pieces, and with what care."""

    batch_size: int = key(32, "B, streams of the text read side by side", at_least=1)
    seq_length: int = key(64, "T, characters through which a gradient reaches back", at_least=1)
    epochs: int | None = key(
        10, "passes over the training text; the default is set aside where one of the next two is set", at_least=1
    )
    iterations: int | None = key(None, "updates after which to stop", at_least=1)
    time_budget: float | None = key(
        None,
        "time after which to stop, such as 90s, 10m or 1h30m; the schedule follows the clock",
        parse=parse_duration,
    )
    gradient: str = key(
        "bptt",
        "`bptt`, through the T characters of a window, or `rtrl`, which is not cut off and for a few units alone",
        choices=("bptt", "rtrl"),
    )
    seed: int | None = key(None, "of all that is random; drawn and written down if not set", at_least=0)
    threads: int | None = key(
        None,
        "cores to use, as processes or as threads of BLAS, whichever is fastest for the shape; all if null",
        at_least=1,
    )
    eval_every: int = key(200, "iterations between evaluations", at_least=1)
    eval_chars: int | None = key(
        200_000, "characters of the validation text that an evaluation reads; all if null", at_least=2
    )
    checkpoint_every: int = key(200, "iterations between checkpoints", at_least=1)
    on_divergence: str = key(
        "stop",
        "where a loss or gradient is infinite or not a number: `stop`, `skip` the window, or `rollback` to the last "
        "checkpoint at half the rate",
        choices=("stop", "skip", "rollback"),
    )
    dtype: str = key("float32", "of all numbers", choices=("float32", "float64"))


@dataclass(frozen=True)
class OptimConfig:
    """How gradients become updates."""

    name: str = key("adam", "the optimizer", choices=("sgd", "momentum", "adagrad", "rmsprop", "adam"))
    learning_rate: float = key(1e-2, "the base rate; lower it for networks that are large or deep", above=0)
    schedule: str = key(
        "cosine",
        "what becomes of the rate; `linear` and `cosine` end with the run",
        choices=("constant", "step", "linear", "cosine"),
    )
    warmup: int = key(0, "iterations over which the rate rises first", at_least=0)
    min_learning_rate: float = key(0.0, "where `linear` and `cosine` end", at_least=0)
    decay: float = key(0.97, "what `step` multiplies the rate by", above=0, at_most=1)
    decay_after: int = key(10, "epochs before the first `step`", at_least=0)
    decay_every: int = key(1, "epochs from each `step` to the next", at_least=1)
    clip_norm: float | None = key(5.0, "most that the gradient's global norm may be", above=0)
    clip_value: float | None = key(None, "most that an element of the gradient may be, after `clip_norm`", above=0)
    momentum: float = key(0.9, "of `momentum`", at_least=0, below=1)
    alpha: float = key(0.99, "smoothing of `rmsprop`", at_least=0, below=1)
    beta1: float = key(0.9, "first moment of `adam`", at_least=0, below=1)
    beta2: float = key(0.999, "second moment of `adam`", at_least=0, below=1)
    weight_decay: float = key(
        0.0, "share of each matrix, times the rate, that an update takes away from it", at_least=0, below=1
    )
    eps: float = key(1e-8, "added to the root by `adagrad`, `rmsprop` and `adam`", above=0)


@dataclass(frozen=True)
class Config:
    """All that can be chosen, in four sections."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)


SECTIONS: dict[str, type[Any]] = {
    "data": DataConfig,
    "model": ModelConfig,
    "train": TrainConfig,
    "optim": OptimConfig,
}


@functools.cache
def keys() -> dict[str, dataclasses.Field[Any]]:
    """Every key by its dotted path, in the order of the sections."""
    return {f"{name}.{f.name}": f for name, section in SECTIONS.items() for f in dataclasses.fields(section)}


@functools.cache
def types_of_keys() -> dict[str, Any]:
    """The type of every key by its dotted path."""
    return {
        f"{name}.{attribute}": annotation
        for name, section in SECTIONS.items()
        for attribute, annotation in typing.get_type_hints(section).items()
    }
