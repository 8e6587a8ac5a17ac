"""The section `model` of a configuration."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.keys import key
from charrnn.nn import CONTEXTS, INITIALIZERS, POOLINGS, SCORES
from charrnn.nn.cells import ACTIVATIONS, CELLS


@dataclass(frozen=True)
class ModelConfig:
    """What the network is."""

    cell: str = key("lstm", "the recurrent cell", choices=CELLS)
    hidden_size: int = key(128, "H, units of each layer", at_least=1, at_most=65536)
    num_layers: int = key(1, "L, layers on top of each other", at_least=1, at_most=64)
    activation: str = key("tanh", "of the cell `rnn` alone", choices=ACTIVATIONS)
    bidirectional: bool | None = key(
        None,
        "layers that read from the end too; if null, those of `classify`, `tag` and the encoder of `transduce` do. "
        "What predicts the next character may not: they see what comes",
    )
    embedding_size: int | None = key(
        None,
        "E, width of a vector for each symbol, which the first layer reads; if null, symbols choose rows of its W",
        at_least=1,
        at_most=65536,
    )
    pooling: str = key(
        "last",
        "how `classify` and a context sum up all steps: by the `last` state, the `mean` or the `max`imum",
        choices=POOLINGS,
    )
    context: str = key(
        "attention",
        "what the decoder of `transduce` knows of the source: the encoder's `last` state, an `affine` map of its "
        "summary, or that and `attention` to all its states",
        choices=CONTEXTS,
    )
    attention: str = key(
        "dot",
        "how well two states match: by the `dot` product (Luong et al. 2015) or the `additive` way (Bahdanau et al. "
        "2015)",
        choices=SCORES,
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
    forget_bias: float = key(1.0, "what an LSTM's forget gate has in its bias at first, beside what `init` draws")
    init: str = key("he", "how weights begin; `uniform` and `torch` draw biases too", choices=INITIALIZERS)
    init_scale: float = key(0.08, "r of `init: uniform`, which draws from [-r, r]", above=0)
