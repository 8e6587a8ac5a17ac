"""The strict reader: YAML files and `KEY=VALUE` to settings, each with the place it was read at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from charrnn.config.resolve import Setting, nearest, resolve
from charrnn.config.schema import SECTIONS, keys
from charrnn.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """Reads YAML 1.2's scalars (in decimal): 1e-3 is a number and `no` a word; there are no dates, no merge keys."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # none of YAML 1.1's are inherited


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,300}", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: _float(node.value))


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


MAX_CHARACTERS = 1 << 16
MAX_TOKENS = 1000
MAX_DEPTH = 20
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def read_yaml(text: str, name: str) -> list[Setting]:
    """Returns the settings of a YAML text; `name` is what errors call it: `NAME:LINE: ...`.

    Raises ConfigError for what is not two levels of mappings with distinct keys. Whether the keys and values are right
    is for `resolve` to say.
    """
    root = compose(text, name)
    errors: list[str] = []
    settings = [] if root is None else settings_of(root, name, errors)
    if errors:
        try:  # so that the wrong values are told along with the wrong keys
            resolve(settings)
        except ConfigError as more:
            errors += more.messages
        raise ConfigError(*errors)
    return settings


def settings_of(root: yaml.Node, name: str, errors: list[str]) -> list[Setting]:
    """Returns the settings of a configuration that is composed; adds to `errors` what is wrong with its keys."""
    settings: list[Setting] = []
    if isinstance(root, yaml.ScalarNode) and construct(root) is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{at(name, root)}: not a mapping; write sections such as 'model:' with keys below them")
    for section, node, origin in pairs(root, name, "", errors):
        if section not in SECTIONS:
            errors.append(f"{origin}: unknown key {section!r}{nearest(section, [*SECTIONS, *keys()])}")
        elif isinstance(node, yaml.MappingNode):
            for short, value, line in pairs(node, name, f"{section}.", errors):
                settings.append(Setting(f"{section}.{short}", construct(value), line))
        elif construct(node) is not None:
            errors.append(f"{origin}: the section {section!r} is not a mapping; write its keys below it")
    return settings


def compose(text: str, name: str, most: int = MAX_TOKENS) -> yaml.Node | None:
    """Returns what a YAML text is made of, `most` words and signs of it, each with its line; None if that is nothing.

    Raises ConfigError for what is no YAML, or more than anybody writes.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{name}: larger than a configuration may be ({MAX_CHARACTERS:,} characters); is it one?")
    try:
        depth = 0
        for count, token in enumerate(yaml.scan(text, Loader=_Loader)):
            if count == most:
                raise ConfigError(
                    f"{at(name, token)}: more than {most:,} words and signs; no configuration needs so many"
                )
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if depth > MAX_DEPTH:
                raise ConfigError(f"{at(name, token)}: nested more than {MAX_DEPTH} deep; a configuration needs 3")
            if isinstance(token, yaml.AliasToken):
                raise ConfigError(f"{at(name, token)}: aliases are not allowed; write the value again")
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        problem = " ".join(str(error.problem or error.context or "not YAML").split())
        where = f"{name}:{error.problem_mark.line + 1}" if error.problem_mark else name
        raise ConfigError(f"{where}: not YAML: {problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = " ".join(str(error).split())[:200]
        raise ConfigError(f"{name}: not YAML: {problem}") from error


def pairs(node: yaml.MappingNode, name: str, prefix: str, errors: list[str]) -> Iterator[tuple[str, yaml.Node, str]]:
    """Yields key, value and place of each pair; adds to `errors` which keys come twice."""
    lines: dict[str, int] = {}
    for key_node, value in node.value:
        path = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "(not a word)"
        origin = at(name, key_node)
        if path in lines:
            errors.append(
                f"{origin}: {shortened(prefix + path)!r} stands in line {lines[path]} already; remove one of the two"
            )
            continue
        lines[path] = key_node.start_mark.line + 1
        yield shortened(path), value, origin


def construct(node: yaml.Node) -> Any:
    """Returns the plain value that a part of a YAML text means."""
    loader = _Loader("")
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return "(a value that cannot be read)"
    finally:
        loader.dispose()


def shortened(text: str) -> str:
    """Shortens what may be endless to what is shown of it; no key is so long."""
    return text if len(text) <= 100 else text[:97] + "..."


def at(name: str, item: yaml.Node | yaml.Token) -> str:
    """Returns where a part of a YAML text stands: `NAME:LINE`."""
    return f"{name}:{item.start_mark.line + 1}"


def read_assignment(assignment: str, option: str = "--set") -> Setting:
    """Returns the setting that is written as `model.hidden_size=256`, its value in YAML. Raises ConfigError."""
    path, equals, value = assignment.partition("=")
    path, origin = shortened(path.strip()), f"{option} {shortened(' '.join(assignment.split()))}"
    if not equals:
        raise ConfigError(f"{origin}: no '='; write {option} SECTION.KEY=VALUE")
    node = compose(value, f"{option} {path}")
    return Setting(path, None if node is None else construct(node), origin)
