"""Row 55: many files and configurations that nobody would think of. None does anything but load or be refused."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections import Counter

import numpy as np
import pytest
from crafting import is_one_line, json_npy, load_bytes, members_of, meta_of, npy, small_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn.config.reading import read_assignment, read_yaml
from charrnn.config.resolve import resolve
from charrnn.config.schema import keys
from charrnn.config.writing import from_dict, to_dict, to_yaml
from charrnn.errors import CheckpointError, ConfigError
from charrnn.resources import CONFIGS
from charrnn.runs import checkpoint as checkpoints

MIB = 1 << 20


def few_or_many(few, many):
    """So many inputs in `make test`, and so many in `make test-long`: 100,000 in all."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.long)])


def told(what, outcomes):
    print(f"{outcomes.total():,} {what}: {', '.join(f'{n:,} {name}' for name, n in outcomes.items())}")


@pytest.fixture(scope="module")
def whole():
    """The bytes of a small checkpoint."""
    return checkpoints.to_bytes(small_run())


# --- checkpoints: damage ---

NUMBERS = [0, 1, 2, 127, 128, 255, 256, 65535, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1]
SIGNS = [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\x93NUMPY", b"{'descr': '<f4', 'fortran_order': "]


def damaged(data, rng):
    """A few things that happen to files, or that somebody does to their headers."""
    data = bytearray(data)
    places = [i for sign in SIGNS for i in find_all(data, sign)]
    for _ in range(rng.integers(1, 4)):
        start, length = int(rng.integers(len(data) + 1)), int(2 ** rng.uniform(0, 12))
        part, there = data[start : start + length], int(rng.integers(len(data) + 1))
        match rng.integers(10):
            case 0:
                for bit in rng.integers(len(data) * 8, size=rng.integers(1, 9)) if data else ():
                    data[bit // 8] ^= 1 << bit % 8
            case 1:
                data[start : start + length] = rng.bytes(len(part))
            case 2:
                data[start : start + length] = bytes(len(part))
            case 3:
                del data[start : start + length]
            case 4:
                data[there:there] = part  # twice
            case 5:
                data[there : there + len(part)] = part  # over something else
            case 6:
                data[there:there] = rng.bytes(length)
            case 7:
                del data[start:]
            case 8 | 9 if places:
                place = int(rng.choice(places) + rng.integers(48))
                size = int(rng.choice([1, 2, 4, 8]))
                data[place : place + size] = int(rng.choice(NUMBERS[:-1])).to_bytes(8, "little")[:size]
    return bytes(data)


def find_all(data, sign):
    place = -1
    while (place := data.find(sign, place + 1)) >= 0:
        yield place


@few_or_many(1700, 40_000)
def test_row_55_a_checkpoint_with_random_damage_is_refused_or_loads_as_it_was(count, whole, tmp_path):
    outcomes = Counter(refused=0, identical=0)
    for seed in range(count):
        try:
            back = load_bytes(damaged(whole, np.random.default_rng(seed)), tmp_path / "odd.npz")
        except CheckpointError as error:
            is_one_line(str(error))
            outcomes["refused"] += 1
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        else:
            assert checkpoints.to_bytes(back) == whole, f"seed {seed} changes what is loaded"
            outcomes["identical"] += 1
    told("damaged checkpoints", outcomes)
    assert outcomes["refused"] > count / 2


# --- checkpoints: forgery ---

words = st.text(max_size=8) | st.sampled_from(["utf-8", "bytes", "rnn", "adam", "PCG64", "90s", "\x1b[2J", "\udcff"])
numbers = st.integers(-(10**30), 10**30) | st.sampled_from([10**400, -1, 0, 1, 2, 3]) | st.floats()
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def places_in(value, path=()):
    """The path of everything in a JSON."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places_in(each, (*path, key))


@st.composite
def edits_of_meta(draw, meta):
    """One change of a JSON: something is replaced, nudged, removed, or gets another name."""
    *parents, last = draw(st.sampled_from([path for path in places_in(meta) if path]))
    kind, value, name = (
        draw(st.sampled_from(["replace", "nudge", "nudge", "remove", "rename", "add"])),
        draw(values),
        draw(words),
    )

    factor = draw(st.sampled_from([None, 0, 1, 2, 3, 1.0]))

    def edit(meta):
        inner = meta
        try:
            for key in parents:
                inner = inner[key]
            if kind == "replace":
                inner[last] = value
            elif kind == "nudge":  # which lists and words do not take
                inner[last] = inner[last] + 1 if factor is None else inner[last] * factor
            elif kind == "remove":
                del inner[last]
            elif kind == "rename":
                inner[name] = inner.pop(last)
            else:
                inner[name] = value
        except (LookupError, TypeError, AttributeError):
            pass  # an edit before this one left nothing to edit

    return edit


types = st.sampled_from(
    ["<f4", "<f8", ">f4", "<f2", "<i8", "<i4", "|u1", "|b1", "<c8", "|O", "<U9", "|S9", "|V4", "<M8[D]"]
)
shapes = st.lists(st.integers(0, 20) | st.sampled_from([-1, 1 << 31, 1 << 62, 10**30]), max_size=3)


@st.composite
def edits_of_members(draw, names):
    """One change of the members, a list of names and contents."""
    index, other = draw(st.integers(0, len(names) - 1)), draw(words.map(lambda w: w + ".npy") | st.sampled_from(names))
    kind = draw(st.sampled_from(["remove", "rename", "twice", "swap", "type", "shape", "content", "header"]))
    descr, shape = draw(types), tuple(draw(shapes))
    at, noise = draw(st.integers(0, 200)), draw(st.binary(min_size=1, max_size=8))

    def edit(members):
        if not members:
            return
        name, content = members[index % len(members)]
        head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
        if kind == "remove":
            members.remove((name, content))
        elif kind == "rename":
            members[index % len(members)] = other, content
        elif kind == "twice":
            members.append((other, content))
        elif kind == "swap":
            members[index % len(members)] = name, members[-1][1]
        elif kind == "type":
            new = content.replace(content[10:128], head.encode().ljust(117) + b"\n")
            members[index % len(members)] = name, new
        elif kind == "shape":
            members[index % len(members)] = name, npy(np.ones([n for n in shape if 0 <= n < 21], np.float32))
        elif kind == "content":
            members[index % len(members)] = name, content[: 128 + at] + noise + content[128 + at + len(noise) :]
        else:
            members[index % len(members)] = name, content[: at % 128] + noise + content[at % 128 + len(noise) :]

    return edit


def forged(meta, members, edits, with_sums):
    """An archive of all that, which is whole as a zip; with the sums made right or not."""
    members = list(members)
    for edit in edits["members"]:
        edit(members)
    if with_sums:
        for name, content in members:
            entry = meta["arrays"].get(name.removesuffix(".npy"))
            if entry and content[:6] == b"\x93NUMPY":
                entry[2] = hashlib.sha256(content[128:]).hexdigest()
    for edit in edits["meta"]:
        edit(meta)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__meta__.npy", json_npy(json.dumps(meta).encode()))
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name.replace("\udcff", "?")), content)
    return buffer.getvalue()


@few_or_many(300, 10_000)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_row_55_a_forged_checkpoint_is_refused_or_one_like_any_other(count, whole, tmp_path):
    """And reading it takes no memory to speak of."""
    meta = meta_of(whole)
    members = [(name, content) for name, content in members_of(whole).items() if name != "__meta__.npy"]
    edits = st.fixed_dictionaries(
        {
            "meta": st.lists(edits_of_meta(meta), max_size=2),
            "members": st.lists(edits_of_members([name for name, _ in members]), max_size=1),
        }
    )
    outcomes = Counter(refused=0, loaded=0)

    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(edits, st.booleans())
    def check(edits, with_sums):
        path = tmp_path / "odd.npz"
        path.write_bytes(forged(json.loads(json.dumps(meta)), members, edits, with_sums))
        tracemalloc.start()
        try:
            back = checkpoints.load(path)
        except CheckpointError as error:
            is_one_line(str(error))
            outcomes["refused"] += 1
            return
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < MIB
        again = checkpoints.to_bytes(back)
        assert checkpoints.to_bytes(load_bytes(again, path)) == again
        outcomes["loaded"] += 1

    check()
    told("forged checkpoints", outcomes)
    assert min(outcomes.values()) > count / 50


# --- configurations ---

SHIPPED = [path.read_text("utf-8") for path in sorted(CONFIGS.glob("*.yaml"))]
TOKENS = [
    *"{}[]:,-?|>&*!#%@`'\"~=. \t\n\r\0\x85\ufeff\u2028é🦊",
    *[
        "  ",
        "    ",
        "\n  ",
        "\n- ",
        ": ",
        "? ",
        "<<",
        "&a ",
        "*a",
        "---",
        "...",
        "%YAML 1.2\n",
        "|-\n",
        ">+\n",
        "\\x",
        "\\u",
        "!!",
    ],
    *[
        "!!int ",
        "!!float ",
        "!!binary ",
        "!!set ",
        "!!omap ",
        "!!timestamp ",
        "!!python/object/apply:os.getcwd ",
        "!<x> ",
    ],
    *[
        "null",
        "true",
        "no",
        "0x1f",
        "0o17",
        "017",
        "12:30:45",
        "1_000",
        "1e-3",
        "1e999",
        "-.inf",
        ".nan",
        "9" * 400,
        "-0",
    ],
    *[
        "2001-99-99",
        "[0.9, 0.05, 0.05]",
        "90s",
        "1h",
        "lstm",
        "gru",
        "adam",
        "utf-8",
        "bytes",
        "data:",
        "model:",
        "train:",
    ],
    *["optim:", *(path.partition(".")[2] for path in keys()), *keys()],
]


def odd_text(rng):
    """A configuration with a few mistakes, or a heap of signs."""
    if rng.random() < 0.3:
        return "".join(rng.choice(TOKENS, rng.integers(1, 40)))
    text = SHIPPED[rng.integers(len(SHIPPED))]
    for _ in range(rng.integers(1, 5)):
        start, there = (int(n) for n in rng.integers(len(text) + 1, size=2))
        end = start + int(2 ** rng.uniform(0, 7))
        match rng.integers(5):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:there] + text[start:end] + text[there:]
            case 2 | 3:
                text = text[:start] + str(rng.choice(TOKENS)) + text[start:]
            case 4:
                text = text[:start] + chr(int(rng.integers(1, 300))) + text[start + 1 :]
    return text


def is_a_list(messages):
    assert messages
    for message in messages:
        is_one_line(message)


def valid_or_refused(settings_of):
    """What becomes of settings: None where they are refused as they should be, else the configuration."""
    try:
        config, _ = resolve(settings_of())
    except ConfigError as error:
        is_a_list(error.messages)
        return None
    assert from_dict(to_dict(config), "again") == config
    assert resolve(read_yaml(to_yaml(config), "again"))[0] == config
    return config


@few_or_many(1200, 40_000)
def test_row_55_a_configuration_of_random_text_is_refused_or_valid(count):
    outcomes = Counter(refused=0, valid=0)
    for seed in range(count):
        rng = np.random.default_rng(seed)
        text = odd_text(rng)
        try:
            if seed % 4:
                config = valid_or_refused(lambda text=text: read_yaml(text, "odd.yaml"))
            else:
                key = str(rng.choice([*keys(), *TOKENS]))
                config = valid_or_refused(lambda text=text, key=key: [read_assignment(f"{key}={text[:30]}")])
        except BaseException as error:
            raise AssertionError(f"seed {seed}, {text!r}: {error!r}") from error
        outcomes["valid" if config else "refused"] += 1
    told("configurations of random text", outcomes)
    assert min(outcomes.values()) > count / 50


@few_or_many(400, 10_000)
def test_row_55_a_configuration_of_random_values_is_refused_or_valid(count):
    """JSON is YAML; where the strict readers of both agree, the two ways in give the same."""
    paths = st.sampled_from([*keys(), "model.depth", "train.train"])
    likely = st.integers(1, 9) | st.floats(0, 1) | st.sampled_from([key.default for key in keys().values()])
    chosen = st.dictionaries(paths, values | likely, max_size=2)
    outcomes = Counter(refused=0, valid=0)

    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(chosen)
    def check(chosen):
        nested = {}
        for path, value in chosen.items():
            section, _, name = path.partition(".")
            nested.setdefault(section, {})[name] = value
        text = json.dumps(nested)
        read = valid_or_refused(lambda: read_yaml(text, "odd.yaml"))
        outcomes["valid" if read else "refused"] += 1

    check()
    told("configurations of random values", outcomes)
    assert min(outcomes.values()) > count / 50
