"""From settings, wherever they were read, to a checked configuration."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from charrnn import advice
from charrnn.config.schema import SECTIONS, Config, keys, types_of_keys
from charrnn.config.synonyms import meant, nearest_value
from charrnn.errors import ConfigError


class Setting(NamedTuple):
    """Holds one key with its value as read, before it is checked, and where it was read."""

    path: str
    value: Any
    origin: str


DEFAULT, OF_CHOICE, SET_ASIDE = "default", "default of ", "set aside: "
"""How the origin of a value begins, or what it is, that nobody has set."""


def is_set(origin: str) -> bool:
    """Tells whether somebody has set the value of this origin: it is no default, of whatever, and was not set aside."""
    return origin != DEFAULT and not origin.startswith((OF_CHOICE, SET_ASIDE))


def resolve(*layers: Sequence[Setting]) -> tuple[Config, dict[str, str]]:
    """Returns the configuration that `layers` of settings give, later over earlier, and where each value came from.

    Raises ConfigError with all that is wrong, a message for each.
    """
    known = keys()
    values: dict[str, Any] = {path: f.default for path, f in known.items()}
    origins = dict.fromkeys(known, DEFAULT)
    errors = []
    for setting in (s for layer in layers for s in layer):
        if setting.path not in known:
            errors.append(f"{setting.origin}: unknown key {setting.path!r}{nearest(setting.path, known)}")
            continue
        try:
            values[setting.path] = _checked(known[setting.path], types_of_keys()[setting.path], setting.value)
            origins[setting.path] = setting.origin
        except ValueError as error:
            errors.append(f"{setting.origin}: {setting.path} is {_show(setting.value)}; it must be {error}")
    _take_defaults_of_choices(values, origins)
    if not errors:
        errors += _contradictions(values, origins)
    if errors:
        raise ConfigError(*errors)
    if origins["train.epochs"] == DEFAULT and (values["train.iterations"] or values["train.time_budget"]):
        values["train.epochs"] = None
        origins["train.epochs"] = f"{SET_ASIDE}something else ends the run"
    sections = {
        name: section(**{f.name: values[f"{name}.{f.name}"] for f in dataclasses.fields(section)})
        for name, section in SECTIONS.items()
    }
    return Config(**sections), origins


def _take_defaults_of_choices(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Gives keys that nobody set the default that a choice has for them, as `optim.weight_decay` of `adamw`."""
    for path, f in keys().items():
        choice = values[path]
        for name, default in f.metadata["defaults"].get(choice, {}).items():
            other = f"{path.partition('.')[0]}.{name}"
            if origins[other] == DEFAULT:
                values[other], origins[other] = default, f"{OF_CHOICE}{choice}"


def _contradictions(values: dict[str, Any], origins: dict[str, str]) -> Iterator[str]:
    """Yields a message for each pair of keys that contradict each other."""
    if values["model.activation"] != "tanh" and values["model.cell"] != "rnn":
        yield (
            f"{origins['model.activation']}: model.activation is for the cell 'rnn', and model.cell is "
            f"{values['model.cell']!r}; remove it or choose the cell rnn"
        )
    if values["optim.min_learning_rate"] > values["optim.learning_rate"]:
        yield (
            f"{origins['optim.min_learning_rate']}: optim.min_learning_rate "
            f"{values['optim.min_learning_rate']:g} is above optim.learning_rate "
            f"{values['optim.learning_rate']:g}; lower it"
        )
    if not any(values[f"train.{end}"] for end in ("epochs", "iterations", "time_budget")):
        yield (
            f"{origins['train.epochs']}: nothing ends the training; "
            f"set train.epochs, train.iterations or train.time_budget"
        )


def nearest(path: str, known: Iterable[str]) -> str:
    """Returns the end of an error message about a key that is not in `known`."""
    near = meant(path, known)
    last = path.rpartition(".")[2].casefold()
    if near is None:  # the name of a choice, such as nesterov=true
        near = next((f"{key}={last}" for key, f in keys().items() if last in f.metadata["choices"]), None)
    return f"; did you mean {near!r}?" if near else f"; `{advice.command('config', 'schema')}` lists the keys"


def _checked(f: dataclasses.Field[Any], annotation: Any, value: Any) -> Any:
    """Returns `value` in the type of the key. Raises ValueError with what the key must be."""
    rules = f.metadata
    if rules["parse"]:
        return rules["parse"](value)
    optional = isinstance(annotation, types.UnionType)
    if value is None and optional:
        return None
    kind = next(t for t in typing.get_args(annotation) if t is not type(None)) if optional else annotation
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not kind or value != value:
        raise ValueError(_requirement(rules, kind, optional))
    if rules["choices"] and value not in rules["choices"]:
        near = nearest_value(value, rules["choices"])
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(_requirement(rules, kind, optional) + hint)
    low, high = rules["at_least"], rules["at_most"]
    if (
        (low is not None and value < low)
        or (high is not None and value > high)
        or (rules["above"] is not None and value <= rules["above"])
        or (rules["below"] is not None and value >= rules["below"])
        or value in (math.inf, -math.inf)
    ):
        raise ValueError(_requirement(rules, kind, optional))
    return value


def _requirement(rules: typing.Mapping[str, Any], kind: type, optional: bool) -> str:
    if rules["choices"]:
        wanted = "one of " + ", ".join(rules["choices"])
    else:
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind]
        bounds = {
            "at_least": "at least",
            "above": "above",
            "below": "below",
            "at_most": "at most",
        }
        limits = [f"{word} {rules[k]:g}" for k, word in bounds.items() if rules[k] is not None]
        wanted = " ".join([wanted, " and ".join(limits)]).strip()
    return f"{wanted}, or null" if optional else wanted


def _show(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
