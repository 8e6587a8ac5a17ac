"""What cannot be trained, and how much memory what can be takes."""

from __future__ import annotations

import math

import numpy as np

from charrnn.config.schema import Config
from charrnn.errors import ConfigError
from charrnn.nn import rtrl
from charrnn.runs.run import build_model

MOST_SECONDS = 60.0
"""Of an iteration of RTRL; one that would take longer is hopeless."""


def refuse_hopeless(config: Config, vocab_size: int) -> None:
    """Raises ConfigError for what cannot be trained: a model that sees its target, RTRL that would never end."""
    model, train = build_model(config.model, vocab_size), config.train
    if model.bidirectional:
        raise ConfigError(
            "model.bidirectional: a model that reads the text from its end as well sees the character that it is to "
            "predict, and would learn to copy it; set it to false"
        )
    if train.gradient == "rtrl":
        B, S, P = rtrl.shape(model, train.batch_size)
        seconds = rtrl.seconds_of_iteration(model, train.seq_length, train.batch_size)
        if seconds > MOST_SECONDS:
            raise ConfigError(
                f"train.gradient: rtrl would take about {seconds / 60:,.0f} minutes for each iteration and "
                f"{B * S * P * 8 / 2**20:,.0f} MiB, as it carries {P:,} derivatives for each of {B * S:,} numbers of "
                f"the state; use bptt, or lower model.hidden_size, train.batch_size and train.seq_length"
            )


def memory(config: Config, vocab_size: int) -> int:
    """About how many bytes training takes: weights, gradients, optimizer, and one window on its way forward and back.

    A lower bound, without what the processes of a run keep twice, and without the text.
    """
    model, T, B = build_model(config.model, vocab_size), config.train.seq_length, config.train.batch_size
    slots = {"sgd": 0, "adam": 2}.get(config.optim.name, 1)
    G, H = len(model.stack.cell.gates), model.hidden_size
    of_a_step = model.num_layers * (2 * G + len(model.stack.cell.state)) * H + 2 * H + vocab_size
    numbers = model.num_parameters * (2 + slots) + T * B * of_a_step
    derivatives = 0
    if config.train.gradient == "rtrl":  # those of the state before a step, of the step, and of the state after it
        derivatives = 4 * math.prod(rtrl.shape(model, B))
    return numbers * np.dtype(config.train.dtype).itemsize + derivatives * 8


def out_of_memory(config: Config, vocab_size: int) -> str:
    """What to say when there is no more of it."""
    train, model = config.train, config.model
    return (
        f"out of memory: {model.num_layers} x {model.hidden_size} units on windows of {train.batch_size} x "
        f"{train.seq_length} characters take {memory(config, vocab_size) / 2**20:,.0f} MiB at least; "
        f"lower model.hidden_size, train.batch_size or train.seq_length"
    )
