"""A configuration as YAML, plain values and JSON Schema."""

from __future__ import annotations

import dataclasses
import json
import math
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config.reading import read_yaml
from charrnn.config.resolve import Setting, resolve
from charrnn.config.schema import Config, keys, types_of_keys
from charrnn.config.writing import from_dict, json_schema, to_dict, to_yaml
from charrnn.errors import ConfigError
from charrnn.keys import parse_duration
from charrnn.resources import CONFIGS


def values_of(path):
    """A strategy of valid values of a key, made from the table of keys."""
    rules, annotation = keys()[path].metadata, types_of_keys()[path]
    if path == "data.encoding":
        return st.sampled_from(["utf-8", "latin-1", "bytes", "UTF_16", "cp437", "437", "Utf 8", "shift_jis"])
    if path == "data.split":
        return st.tuples(st.integers(1, 99), st.integers(0, 99), st.integers(0, 99)).map(
            lambda shares: [share / sum(shares) for share in shares]
        )
    if path == "data.documents":
        return st.none() | st.sampled_from(["lines", "files", "\n\n", "%%\n", "null", "3", "# no comment", "é\t\\"])
    if path == "train.layout":
        return st.none() | st.sampled_from(["1x1", "2x1", "1x4", "12x340"])
    if path == "data.columns":
        return st.none() | st.lists(st.integers(1, 10**20), min_size=2, max_size=2)
    if rules["parse"] is parse_duration:
        return st.none() | st.floats(1e-3, 1e9) | st.integers(1, 10**6) | st.sampled_from(["90s", "10m", "1h30m"])
    options = [t for t in typing.get_args(annotation) or [annotation] if t is not type(None)]
    if rules["choices"]:
        some = st.sampled_from(rules["choices"])
    elif options == [bool]:
        some = st.booleans()
    elif options == [str]:
        some = st.sampled_from(["data.tsv", "a folder/test.jsonl", "-", "null", "True", "7", "# no comment"])
    elif options == [int]:
        some = st.integers(rules["at_least"], rules["at_most"] or 10**20)
    else:
        low, high = rules["at_least"], rules["at_most"]
        some = st.floats(
            low if low is not None else rules["above"],
            high if high is not None else rules["below"],
            exclude_min=rules["above"] is not None,
            exclude_max=rules["below"] is not None,
            allow_nan=False,
            allow_infinity=False,
        )
    return some if options == [annotation] else st.none() | some


@st.composite
def configs(draw):
    chosen = {path: draw(values_of(path)) for path in keys()}
    if chosen["model.cell"] != "rnn":
        chosen["model.activation"] = "tanh"
    chosen["optim.min_learning_rate"] = min(chosen["optim.min_learning_rate"], chosen["optim.learning_rate"])
    if not any(chosen[f"train.{end}"] for end in ("epochs", "iterations", "time_budget")):
        chosen["train.epochs"] = 3
    return resolve([Setting(path, value, "drawn") for path, value in chosen.items()])[0]


@settings(max_examples=20)
@given(configs())
def test_a_configuration_comes_back_from_yaml_from_plain_values_and_from_json(config):
    assert resolve(read_yaml(to_yaml(config), "written"))[0] == config
    assert from_dict(to_dict(config), "dict") == config
    assert from_dict(json.loads(json.dumps(to_dict(config), allow_nan=False)), "json") == config


def test_every_character_of_a_name_comes_back():
    name = "".join(map(chr, [*range(1, 0x300), 0x2028, 0xD800, 0xDCFF, 0xFEFF, 0xFFFF, 0x10000, 0x1F98A, 0x10FFFF]))
    config, _ = resolve([Setting("data.validation", name, "here")])
    assert resolve(read_yaml(to_yaml(config), "a.yaml"))[0] == config


@pytest.mark.parametrize("encoding", ["037", "#utf-8", "[utf-8]"])
def test_an_encoding_spelled_oddly_is_refused_or_comes_back_too(encoding):
    try:
        config = from_dict({"data": {"encoding": encoding}}, "x")
    except ConfigError:
        return
    assert resolve(read_yaml(to_yaml(config), "written"))[0] == config


def test_yaml_has_every_key_in_order_with_its_origin_behind_it():
    config, origins = resolve([Setting("model.cell", "gru", "my.yaml:3")])
    lines = to_yaml(config, origins).splitlines()
    assert [line.strip().partition(":")[0] for line in lines if line.startswith("  ")] == [
        path.partition(".")[2] for path in keys()
    ]
    assert [line.split("#")[1].strip() for line in lines if line.startswith("  cell:")] == ["my.yaml:3"]
    assert resolve(read_yaml("\n".join(lines), "written"))[0] == config


@pytest.mark.parametrize(
    ("nested", "message"),
    [
        (None, "not a mapping of mappings"),
        ([], "not a mapping of mappings"),
        ({"model": 3}, "not a mapping of mappings"),
        ({"model": {"cell": "lstm", "x": 1}}, "here: unknown key 'model.x'"),
        ({"model": {"hidden_size": -1}}, "here: model.hidden_size is -1"),
        ({"model": {3: 4}}, "unknown key 'model.3'"),
    ],
)
def test_plain_values_that_are_no_configuration_are_refused(nested, message):
    with pytest.raises(ConfigError) as error:
        from_dict(nested, "here")
    assert message in str(error.value)


# --- JSON Schema ---


def invalid(value, schema):
    """Why `value` does not fit; a small validator of the words that the schema uses, and of no others."""
    known = {"$schema", "title", "description", "default", "type", "enum", "properties", "additionalProperties"}
    known |= {"items", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    assert schema.keys() <= known
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)}
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(value, bool):  # which Python takes for an integer
        return None if "boolean" in wanted else f"{value} is not {wanted}"
    if not any(isinstance(value, types[t]) for t in wanted if t in types):
        return f"{value!r} is not {wanted}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is not in {schema['enum']}"
    if isinstance(value, (int, float)):
        inside = schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        strictly = schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
        return None if inside and strictly else f"{value} is out of range"
    if isinstance(value, list):
        if not schema["minItems"] <= len(value) <= schema["maxItems"]:
            return f"{len(value)} items"
        return next(filter(None, (invalid(item, schema["items"]) for item in value)), None)
    if isinstance(value, dict):
        assert schema["additionalProperties"] is False
        if extra := value.keys() - schema["properties"].keys():
            return f"unknown {extra}"
        return next(filter(None, (invalid(v, schema["properties"][k]) for k, v in value.items())), None)
    return None


SCHEMA = json.loads(json.dumps(json_schema()))


def test_the_schema_has_every_key_with_its_help_and_a_default_that_validates():
    listed = {f"{s}.{k}": entry for s, of in SCHEMA["properties"].items() for k, entry in of["properties"].items()}
    assert listed.keys() == keys().keys()
    defaults = to_dict(Config())
    for path, entry in listed.items():
        section, _, name = path.partition(".")
        assert entry["default"] == defaults[section][name]
        assert entry["description"] == keys()[path].metadata["help"]
        assert invalid(entry["default"], entry) is None


def test_the_schema_accepts_the_defaults_and_every_shipped_configuration():
    assert invalid(to_dict(Config()), SCHEMA) is None
    assert len(list(CONFIGS.glob("*.yaml"))) >= 5
    for path in CONFIGS.glob("*.yaml"):
        config, _ = resolve(read_yaml(path.read_text(), path.name))
        assert invalid(to_dict(config), SCHEMA) is None


@settings(max_examples=20)
@given(configs())
def test_the_schema_accepts_every_valid_configuration(config):
    assert invalid(to_dict(config), SCHEMA) is None


@pytest.mark.parametrize(
    "nested",
    [
        {"model": {"hidden_size": 0}},
        {"model": {"hidden_size": 65537}},
        {"model": {"hidden_size": "3"}},
        {"model": {"cell": "elman"}},
        {"model": {"layer_norm": 1}},
        {"model": {"hidden_size": True}},
        {"model": {"dropout": 1}},
        {"optim": {"learning_rate": 0}},
        {"train": {"seed": 1.5}},
        {"data": {"split": [1]}},
        {"model": {"hiden_size": 3}},
        {"extra": {}},
        {"model": None},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(nested):
    assert invalid(nested, SCHEMA)
    with pytest.raises(ConfigError):
        from_dict(nested, "x")


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().model.cell = "gru"  # type: ignore[misc]
