"""The options by which a model goes on learning from what it has scored, for the commands that know them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.judging.dynamic import Adapting

Command = Callable[..., Any]

OPTIONS = ("--dynamic-rate", "--dynamic-decay", "--dynamic-segment")
"""What says how it learns; each names a field of `Adapting`."""


def options(help_of_dynamic: str) -> Callable[[Command], Command]:
    """Returns what gives a command `--dynamic`, with this help, and the options that go with it."""

    def add(command: Command) -> Command:
        rate, decay, segment = OPTIONS
        for option in (
            click.option(
                segment,
                type=click.IntRange(1, 1 << 20),
                metavar="N",
                help="Symbols that are scored before each step of --dynamic [50].",
            ),
            click.option(
                decay,
                type=click.FloatRange(0, 1),
                metavar="SHARE",
                help="Of the way back to its first weights, with each step of --dynamic [0.003].",
            ),
            click.option(
                rate,
                type=click.FloatRange(0, min_open=True),
                metavar="RATE",
                help="About how far a step of --dynamic moves a weight [0.002].",
            ),
            click.option("--dynamic", is_flag=True, help=help_of_dynamic),
        ):
            command = option(command)
        return command

    return add


def typed(how: Adapting | None) -> list[object]:
    """Returns the options as they are typed; none for a model that stays as it is."""
    if how is None:
        return []
    return ["--dynamic", *(word for name, value in how.facts().items() for word in (f"--dynamic-{name}", value))]


def refuse(others: dict[str, object]) -> None:
    """Raises ConfigError for an option, with its value, that tells of the model as it was at the beginning."""
    for option, value in others.items():
        if value:
            raise ConfigError(f"{option} tells what the model thinks that does not learn; leave out --dynamic")


def chosen(options: dict[str, Any]) -> Adapting | None:
    """Takes these options out of all that were given, and returns what they mean; None for a model that stays as it is.

    Raises ConfigError where one is given without `--dynamic`.
    """
    is_asked = options.pop("dynamic")
    given = {option: options.pop(option[2:].replace("-", "_")) for option in OPTIONS}
    given = {option: value for option, value in given.items() if value is not None}
    if not is_asked:
        if given:
            raise ConfigError(
                f"{next(iter(given))} says how a model learns with --dynamic; add --dynamic, or leave it out"
            )
        return None
    for option, value in given.items():
        if not math.isfinite(value):
            raise ConfigError(f"{option} {value} is no number to go by; give one such as 0.002")
    from charrnn.judging.dynamic import Adapting

    return Adapting(**{option.removeprefix("--dynamic-"): value for option, value in given.items()})
