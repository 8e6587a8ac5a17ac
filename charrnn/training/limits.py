"""What cannot be trained, and how much memory what can be takes."""

from __future__ import annotations

import math

import numpy as np

from charrnn import system
from charrnn.config.schema import Config
from charrnn.errors import ConfigError
from charrnn.nn import rtrl
from charrnn.nn.model import CharLM
from charrnn.optim import OPTIMIZERS
from charrnn.tasks.base import Model

MOST_SECONDS = 60.0
"""How long an iteration of RTRL may take; one that would take longer is hopeless."""


def refuse_hopeless(config: Config, model: Model) -> None:
    """Raises ConfigError for real-time recurrent learning that would never end, or of what it does not know."""
    train = config.train
    if train.gradient != "rtrl":
        return
    if not isinstance(model, CharLM) or model.bidirectional:
        raise ConfigError("train.gradient: rtrl is for networks that read forward, step by step; use bptt")
    if model.outputs or model.labels or config.data.documents is not None:
        raise ConfigError("train.gradient: rtrl is for one text, which is read as a whole, step by step; use bptt")
    B, S, P = rtrl.shape(model, train.batch_size)
    seconds = rtrl.seconds_of_iteration(model, train.seq_length, train.batch_size)
    if seconds > MOST_SECONDS:
        raise ConfigError(
            f"train.gradient: rtrl would take about {seconds / 60:,.0f} minutes for each iteration and "
            f"{B * S * P * 8 / 2**20:,.0f} MiB, as it carries {P:,} derivatives for each of {B * S:,} numbers of "
            f"the state; use bptt, or lower model.hidden_size, train.batch_size and train.seq_length"
        )


def memory(config: Config, model: Model) -> int:
    """Returns about how many bytes training takes: weights, gradients, optimizer, and one batch forward and back.

    A lower bound, without what the processes of a run keep twice, and without the examples.
    """
    T, B = config.train.seq_length, config.train.batch_size
    copies = 2 + len(OPTIMIZERS[config.optim.name].slots) + bool(config.optim.average) + (config.train.accumulate > 1)
    numbers = model.num_parameters * copies + T * B * model.numbers_per_step
    derivatives = 0
    if config.train.gradient == "rtrl":  # those of the state before a step, of the step, and of the state after it
        derivatives = 4 * math.prod(rtrl.shape(model, B))
    return numbers * np.dtype(config.train.dtype).itemsize + derivatives * 8


def out_of_memory(config: Config, model: Model) -> str:
    """Returns what a user is told when there is not enough memory."""
    train, least = config.train, math.ceil(memory(config, model) / 2**20)
    return (
        f"out of memory: {config.model.num_layers} x {config.model.hidden_size} units on batches of "
        f"{train.batch_size} x {train.seq_length} characters take {least:,} MiB at least; "
        f"lower model.hidden_size, train.batch_size or train.seq_length{system.or_raise_memory()}"
    )
