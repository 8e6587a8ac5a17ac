"""From a configuration to a network."""

from __future__ import annotations

from charrnn.errors import ConfigError
from charrnn.nn.model import CharLM
from charrnn.nn.options import ModelConfig

INITIALIZATION_KEYS = ("forget_bias", "init", "init_scale")
"""Keys that say how weights begin: what the network is does not depend on them."""


def build_model(config: ModelConfig, vocab_size: int) -> CharLM:
    """Returns the network of a configuration, over `vocab_size` symbols. Raises ConfigError for what does not fit."""
    fields = {name: value for name, value in vars(config).items() if name not in INITIALIZATION_KEYS}
    try:
        return CharLM(vocab_size, **fields)
    except ValueError as error:
        raise ConfigError(f"model: {error}") from None
