"""A configuration as YAML, as plain values, and its JSON Schema."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Collection, Sequence
from typing import Any

from charrnn.config.resolve import Setting, resolve
from charrnn.config.schema import SECTIONS, Config, keys, types_of_keys
from charrnn.errors import ConfigError
from charrnn.keys import parse_duration


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Returns a configuration in plain values, as YAML and JSON can write them: keys by section."""
    nested = dataclasses.asdict(config)
    return {
        section: {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        for section, values in nested.items()
    }


def from_dict(nested: Any, origin: str) -> Config:
    """Returns the configuration that `to_dict` gave; `origin` is what errors call the source. Raises ConfigError."""
    if not isinstance(nested, dict) or not all(isinstance(v, dict) for v in nested.values()):
        raise ConfigError(f"{origin}: the configuration is not a mapping of mappings")
    if unknown := nested.keys() - SECTIONS.keys():
        raise ConfigError(f"{origin}: unknown section {sorted(map(str, unknown))[0]!r}")
    return resolve(_settings(nested, origin))[0]


def to_settings(config: Config, origin: str) -> list[Setting]:
    """Returns every key of a configuration as a setting, for a layer below others."""
    return _settings(to_dict(config), origin)


def _settings(nested: dict[str, dict[str, Any]], origin: str) -> list[Setting]:
    return [Setting(f"{section}.{k}", v, origin) for section, values in nested.items() for k, v in values.items()]


def to_yaml(config: Config, origins: dict[str, str] | None = None) -> str:
    """Returns YAML with every key, and behind each its origin where `origins` are given."""
    lines = []
    for section, values in to_dict(config).items():
        lines.append(f"{section}:")
        for name, value in values.items():
            line = f"  {name}: {scalar(value)}"
            origin = origins[f"{section}.{name}"] if origins else ""
            lines.append(f"{line:<32}  # {origin}" if origin else line)
    return "\n".join(lines) + "\n"


CHOSEN = "chosen"
"""The origin of what nobody has set and `charrnn.recipes` chose, as it stands in `config.yaml`."""


def with_chosen(config: Config, chosen: Collection[str]) -> str:
    """Returns YAML with every key, and a word behind those that were chosen."""
    return to_yaml(config, {path: CHOSEN if path in chosen else "" for path in keys()})


def still_chosen(config: Config, before: str) -> set[str]:
    """Returns the keys that stand as chosen in what `with_chosen` wrote before, with the value that they have now."""
    now, found, section = to_dict(config), set(), ""
    for line in before.splitlines():
        if match := re.fullmatch(r"(\w+):", line):
            section = match[1]
        elif match := re.fullmatch(rf"  (\w+): (.*?) +# {CHOSEN}", line):
            values = now.get(section, {})
            if match[1] in values and scalar(values[match[1]]) == match[2]:
                found.add(f"{section}.{match[1]}")
    return found


def settings_to_yaml(settings: Sequence[Setting]) -> str:
    """Returns YAML with these settings as they are, unchecked, later ones in the place of earlier ones."""
    values = {setting.path: setting.value for setting in settings}
    sections: dict[str, list[str]] = {}
    for path, value in values.items():
        section, _, name = path.partition(".")
        sections.setdefault(section, []).append(f"  {name}: {scalar(value)}\n")
    return "".join(f"{section}:\n{''.join(lines)}" for section, lines in sections.items())


def scalar(value: Any) -> str:
    """Returns one value as it is written in YAML, in a line."""
    if isinstance(value, list):
        return "[" + ", ".join(scalar(v) for v in value) + "]"
    if isinstance(value, float):
        return repr(value)  # the shortest text that reads back as the same number
    if isinstance(value, str) and not re.fullmatch(r"(?!(?i:null|true|false)$)[A-Za-z][A-Za-z0-9_-]*", value):
        return f'"{"".join(map(_escaped, value))}"'
    return {None: "null", True: "true", False: "false"}[value] if value is None or type(value) is bool else str(value)


def _escaped(character: str) -> str:
    """Returns a character as it stands in YAML's double-quoted style: as in JSON, but never as two surrogates."""
    return json.dumps(character)[1:-1] if character <= "\uffff" else f"\\U{ord(character):08x}"


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a configuration file."""
    sections = {
        section: {
            "type": "object",
            "description": cls.__doc__,
            "properties": {
                f.name: _key_schema(f, types_of_keys()[f"{section}.{f.name}"]) for f in dataclasses.fields(cls)
            },
            "additionalProperties": False,
        }
        for section, cls in SECTIONS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "charrnn configuration",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
    }


_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_JSON_BOUNDS = {
    "minimum": "at_least",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
    "maximum": "at_most",
}


def _key_schema(f: dataclasses.Field[Any], annotation: Any) -> dict[str, Any]:
    rules = f.metadata
    entry: dict[str, Any] = {"description": rules["help"], "default": f.default}
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    if arrays := [option for option in options if typing.get_origin(option) is tuple]:
        parts = typing.get_args(arrays[0])
        kinds = ["array" if option is arrays[0] else _JSON_TYPES[option] for option in options]
        entry["type"] = kinds if len(kinds) > 1 else kinds[0]
        entry |= {"items": {"type": _JSON_TYPES[parts[0]]}, "minItems": len(parts), "maxItems": len(parts)}
    elif rules["parse"] is parse_duration:
        entry["type"] = ["number", "string", "null"]
    else:
        names = [_JSON_TYPES[option] for option in options]
        entry["type"] = names if len(names) > 1 else names[0]
    if rules["choices"]:
        entry["enum"] = list(rules["choices"])
    return entry | {k: rules[rule] for k, rule in _JSON_BOUNDS.items() if rules[rule] is not None}
