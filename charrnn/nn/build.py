"""From a configuration to a network."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from charrnn.errors import ConfigError
from charrnn.nn.model import CharLM
from charrnn.nn.network import Network
from charrnn.nn.options import ModelConfig

INITIALIZATION_KEYS = ("forget_bias", "init", "init_scale")
"""Keys that say how weights begin: what the network is does not depend on them."""

OWN_KEYS = ("pooling", "context", "attention")
"""Keys that only some networks read: those whose class has a field of that name."""

Kind = TypeVar("Kind", bound=Network)


def build_network(kind: type[Kind], config: ModelConfig, **sizes: Any) -> Kind:
    """Returns the network of a configuration, with these sizes. Raises ConfigError for what does not fit together.

    A key that the network does not read must be as by default: no option does nothing.
    """
    own = {field.name for field in dataclasses.fields(kind) if field.init}
    for name in OWN_KEYS:
        if name not in own and getattr(config, name) != getattr(ModelConfig(), name):
            raise ConfigError(f"model.{name}: nothing in the network of this task reads it; leave it out")
    fields = {name: value for name, value in vars(config).items() if name in own} | sizes
    try:
        return kind(**fields)
    except ValueError as error:
        raise ConfigError(f"model: {error}") from None


def build_model(config: ModelConfig, vocab_size: int, **sizes: Any) -> CharLM:
    """Returns the network that answers at each step, over `vocab_size` symbols; it reads forward if not told otherwise.

    Raises ConfigError for what does not fit together.
    """
    return build_network(CharLM, config, vocab_size=vocab_size, bidirectional=bool(config.bidirectional), **sizes)
