"""What a run that begins from old weights does otherwise, where its user has not chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from charrnn import advice
from charrnn.config.resolve import Setting, is_set, resolve
from charrnn.config.schema import Config

GENTLER = 5
"""By how much the learning rate is smaller: what the weights know already would else be lost in the first updates."""


def configure(*layers: Sequence[Setting]) -> tuple[Config, list[str]]:
    """Returns the configuration of a run that begins from old weights, and what a user is told of it, a line each.

    `layers` are those of `resolve`, later over earlier. Raises ConfigError as that does.
    """
    config, origins = resolve(*layers)
    lower = gentler(config, origins)
    return resolve(*layers, lower)[0], note(config, lower)


def gentler(config: Config, origins: Mapping[str, str]) -> list[Setting]:
    """Returns the setting of a lower learning rate, where the rate is a default; none where a user has chosen it."""
    if is_set(origins["optim.learning_rate"]):
        return []
    optim = config.optim
    rate = max(optim.learning_rate / GENTLER, optim.min_learning_rate)
    return [Setting("optim.learning_rate", rate, "a fifth of the default, for old weights")]


def note(config: Config, settings: list[Setting]) -> list[str]:
    """Returns what a user is told of the lower rate; `settings` are those of `gentler`."""
    return [
        f"learning rate {setting.value:g}, {setting.origin}; another one with "
        f"{advice.setting('optim.learning_rate', config.optim.learning_rate)}"
        for setting in settings
    ]
