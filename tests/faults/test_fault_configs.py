"""Configurations that are wrong, and those that are made to keep their reader busy."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import tracemalloc

import pytest
from driving import Result

from charrnn.config.reading import MAX_CHARACTERS, MAX_DEPTH, MAX_TOKENS
from charrnn.config.schema import keys

# --- 48: mistakes ---

MISTAKES = {
    "an unknown key": ("model:\n  zzzzzz: 1\n", ["my.yaml:2: unknown key 'model.zzzzzz'", "charrnn config schema"]),
    "a typo": ("optim:\n\n  learing_rate: 1\n", ["my.yaml:3", "did you mean 'optim.learning_rate'?"]),
    "a typo in a section": ("modle: {}\n", ["my.yaml:1: unknown key 'modle'", "did you mean 'model'?"]),
    "a typo in a value": ("model: {cell: lstn}\n", ["my.yaml:1", "'lstn'", "one of rnn, gru,", "'lstm'?"]),
    "a wrong type": ("train:\n  batch_size: many\n", ["my.yaml:2", "'many'", "a whole number at least 1"]),
    "out of range": ("model: {dropout: 1}\n", ["my.yaml:1", "model.dropout is 1", "at least 0 and below 1"]),
    "a number that is none": ("optim: {eps: .nan}\n", ["my.yaml:1", "optim.eps is nan", "a number above 0"]),
    "a key twice": ("model:\n  cell: gru\n  cell: rnn\n", ["my.yaml:3: 'model.cell' stands in line 2 already"]),
    "a section twice": ("model: {}\ntrain: {}\nmodel: {}\n", ["my.yaml:3: 'model' stands in line 1 already"]),
    "a list": ("- model\n- train\n", ["my.yaml:1: not a mapping; write sections such as 'model:'"]),
    "a word": ("model\n", ["my.yaml:1: not a mapping"]),
    "a tab": ("model:\n\tcell: gru\n", ["my.yaml:2: not YAML", "'\\t'"]),
    "a brace that stays open": ("model: {cell: gru\n", ["my.yaml:2: not YAML", "'}'"]),
    "two documents": ("model: {}\n---\ntrain: {}\n", ["my.yaml:2: not YAML"]),
    "no, which is a word": ("model: {layer_norm: no}\n", ["my.yaml:1: model.layer_norm is 'no'", "true or false"]),
    "bytes": (b"model: {cell: \xff}\n", ["my.yaml: cannot be read as a config: not UTF-8 text; give a YAML file"]),
    "zeros": (b"\0" * 100, ["my.yaml: not YAML"]),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_row_48_a_mistake_is_told_with_line_and_remedy_and_nothing_begins(charrnn, tmp_path, what):
    content, parts = MISTAKES[what]
    (tmp_path / "my.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    charrnn("train", "harbour", "-c", "my.yaml").fails(2, *parts)
    charrnn("config", "validate", "my.yaml").fails(2, *parts)
    assert not (tmp_path / "runs").exists()


def test_row_48_all_mistakes_of_file_assignments_and_flags_are_told_at_once(charrnn, tmp_path):
    (tmp_path / "my.yaml").write_text(
        "model:\n  hiden_size: 8\n  cell: lstn\nmodel: {}\noptim:\n  learning_rate: fast\ntrian: {}\n"
    )
    lines = ["my.yaml:2: ", "my.yaml:3: ", "my.yaml:4: ", "my.yaml:6: ", "my.yaml:7: "]
    charrnn("train", "harbour", "-c", "my.yaml").fails(2, *lines, lines=5)
    (tmp_path / "my.yaml").write_text("model:\n  hiden_size: 8\n")
    words = ["--set", "optim.name=adm", "--set", "train.epochs=no", "--time-budget", "soon", "--seed", "-3"]
    parts = ["my.yaml:2: ", "--set optim.name=adm: ", "--set train.epochs=no: ", "--time-budget soon: ", "--seed -3: "]
    charrnn("train", "harbour", "-c", "my.yaml", *words).fails(2, *parts, lines=5)


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing yet\n", "---\n", "model:\ntrain: {}\n", "{}", "~"])
def test_row_48_a_config_that_says_nothing_is_the_defaults(charrnn, tmp_path, content):
    (tmp_path / "my.yaml").write_text(content)
    assert charrnn("config", "show", "my.yaml").ok().out == charrnn("config", "show").ok().out


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "0.001", ".001", "+1.0e-3", "1.e-3"])
def test_row_48_a_number_is_one_however_it_is_written(charrnn, tmp_path, written):
    (tmp_path / "my.yaml").write_text(f"optim: {{learning_rate: {written}}}\n")
    for words in (["my.yaml"], ["--set", f"optim.learning_rate={written}"]):
        assert "  learning_rate: 0.001 " in charrnn("config", "show", *words).ok().text


@pytest.mark.parametrize("kind", ["missing", "directory", "ring", "name"])
def test_row_48_what_is_no_file_is_no_config(charrnn, tmp_path, kind):
    if kind == "directory":
        (tmp_path / "my.yaml").mkdir()
    elif kind == "ring":
        (tmp_path / "my.yaml").symlink_to("my.yaml")
    name = "x" * 5000 if kind == "name" else "my.yaml"
    what = "no such config" if kind == "missing" else "cannot be read as a config"
    charrnn("train", "harbour", "-c", name).fails(2, f"{name}: {what}")


# --- 49: attacks ---


def filled(unit, head="", tail=""):
    """As much of `unit` as a config may have, between the two."""
    return head + unit * ((MAX_CHARACTERS - len(head) - len(tail)) // len(unit)) + tail


def laughs(levels, width=9):
    """A list that has `width ** levels` elements, in few characters."""
    lines = ["a: &a [" + ",".join(["ha"] * width) + "]"]
    lines += [
        f"{b}: &{b} [" + ",".join([f"*{a}"] * width) + "]"
        for a, b in zip("abcdefghijklmno"[:levels], "bcdefghijklmnop", strict=False)
    ]
    return "\n".join(lines)


LARGER, MANY, DEEP = "larger than a configuration may be", "more than 1,000 words and signs", "nested more than 20 deep"
ATTACKS = {
    "billion laughs": (laughs(9), "aliases are not allowed"),
    "an alias of itself": ("model: &a [*a]", "aliases are not allowed"),
    "an alias of a mapping in itself": ("model: &a {cell: *a}", "aliases are not allowed"),
    "merged with itself": ("model: &a\n  <<: *a", "aliases are not allowed"),
    "lists in lists": ("[" * 100_000, LARGER),
    "lists in lists that close": ("model: " + "[" * 30_000 + "]" * 30_000, DEEP),
    "mappings in mappings": ("{" * 60_000, DEEP),
    "lines in lines": ("\n".join(" " * n + "a:" for n in range(300)), DEEP),
    "lists on a line": (filled("- "), DEEP),
    "keys of keys": (filled("? "), DEEP),
    "too many characters": (filled("#") + "##", LARGER),
    "a long comment": (filled("#"), None),
    "empty lines": (filled("\n"), None),
    "spaces": (filled(" "), None),
    "a long list": (filled("1,", "model: {cell: [", "]}"), MANY),
    "many lists": (filled("[],", "model: {cell: [", "]}"), MANY),
    "many unknown sections": ("".join(f"section{n}:\n" for n in range(4000)), MANY),
    "many unknown keys": ("model: {" + ",".join(f"hidden_siz{n}" for n in range(4000)) + "}", MANY),
    "as many unknown keys as there may be words": ("\n".join(f"hidden_siz{n}:" for n in range(330)), "hidden_siz329"),
    "many keys twice": (filled("a,", "model: {", "}"), MANY),
    "many tags": (filled("!a 1,", "model: {cell: [", "]}"), MANY),
    "many anchors": (filled("&a 1,", "model: {cell: [", "]}"), MANY),
    "many documents": (filled("---\n"), MANY),
    "a long key": (filled("x", "? ", "\n: 1"), "unknown key 'xxx"),
    "many long keys": ("model:\n" + "".join(f"  {n:0500}:\n" for n in range(100)), "unknown key 'model.000"),
    "a long word": (filled("x", "model: {cell: ", "}"), "model.cell is 'xxx"),
    "a word in many lines": (filled("a\n ", "model: {cell: ", "}"), "model.cell is 'a a"),
    "escapes": (filled("\\x41", 'model: {cell: "', '"}'), "model.cell is 'AAA"),
    "a block of lines": (filled("    a\n", "model:\n  cell: |\n"), "model.cell is 'a\\na"),
    "an integer of 5000 digits": ("model: {hidden_size: " + "9" * 5000 + "}", "model.hidden_size is inf"),
    "a tagged integer of 5000 digits": ("model: {hidden_size: !!int " + "9" * 5000 + "}", "model.hidden_size is "),
    "an integer of 60000 digits": (filled("9", "train: {seed: ", "}"), "train.seed is inf"),
    "a float of 60000 digits": (filled("9", "model: {dropout: 1.", "}"), "model.dropout is 2.0"),
    "numbers to the base of sixty": (filled(":59", "model: {dropout: !!float '1", "'}"), "model.dropout is "),
    "a call": ("model: {cell: !!python/object/apply:os.system ['touch MARKER']}", "model.cell is "),
    "a call for a key": ("model: {? !!python/object/apply:os.system ['touch MARKER'] : 1}", "model.(not a word)"),
    "a call for everything": ("!!python/object/apply:os.system ['touch MARKER']", "not a mapping"),
    "a module": ("model: {cell: !!python/module:antigravity ''}", "model.cell is "),
    "a class": ("model: {cell: !!python/object/new:type [x, [], {}]}", "model.cell is "),
}
"""Configs, and what is said of them; None where there is nothing to say."""


@pytest.fixture
def soon():
    """Asserts that the test took less than a second of computing: five, so that it holds on any machine."""
    began = time.process_time()
    yield
    assert time.process_time() - began < 5


@pytest.fixture
def in_little_memory():
    """Asserts that what is done in it took less than 50 MB."""

    @contextlib.contextmanager
    def traced():
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < 50_000_000
        finally:
            tracemalloc.stop()

    return traced()


def told(result, said):
    """Asserts that a command said this, if anything, in lines that a person can read."""
    if said is None:
        result.ok()
        return
    result.fails(2, said, lines=result.err.count("\n"))
    assert max(map(len, result.err.splitlines())) < 400


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("what", ATTACKS)
def test_row_49_an_attack_in_a_file_is_refused_soon(charrnn, tmp_path, what):
    content, said = ATTACKS[what]
    (tmp_path / "my.yaml").write_text(content)
    told(charrnn("config", "validate", "my.yaml"), said)
    assert not (tmp_path / "MARKER").exists()


@pytest.mark.parametrize(
    "what",
    [
        "billion laughs",
        "lists in lists that close",
        "a long list",
        "as many unknown keys as there may be words",
        "a long key",
        "a long word",
        "a float of 60000 digits",
    ],
)
def test_row_49_an_attack_is_refused_in_less_than_50_megabytes(charrnn, tmp_path, in_little_memory, what):
    (tmp_path / "my.yaml").write_text(ATTACKS[what][0])
    with in_little_memory:
        told(charrnn("config", "validate", "my.yaml"), ATTACKS[what][1])


@pytest.mark.usefixtures("soon")
def test_row_49_a_file_of_a_hundred_megabytes_is_not_read(charrnn, tmp_path, in_little_memory):
    (tmp_path / "my.yaml").write_text("# a comment\n")
    os.truncate(tmp_path / "my.yaml", 100_000_000)
    with in_little_memory:
        told(charrnn("train", "harbour", "-c", "my.yaml"), LARGER)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("what", [what for what in ATTACKS if len(ATTACKS[what][0]) <= 1 << 17])
def test_row_49_an_attack_in_an_assignment_is_refused_soon(charrnn, tmp_path, what):
    content, said = ATTACKS[what]
    result = charrnn("config", "show", "--set", f"model.cell={content}")
    told(result, said if said in (LARGER, MANY, DEEP, "aliases are not allowed") else "--set model.cell")
    assert not (tmp_path / "MARKER").exists()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("assignment", ["x" * 100_000, "x" * 100_000 + "=1", "model." + "=" * 100_000])
def test_row_49_an_endless_assignment_is_shown_in_short(charrnn, assignment):
    told(charrnn("config", "show", "--set", assignment), "--set ")


def test_row_49_the_largest_config_that_means_something_is_far_from_the_limits(charrnn, tmp_path):
    shown = charrnn("config", "show").ok().text
    everything = "".join(f"{line.split('#')[0].rstrip()}  # {'why ' * 50}\n" for line in shown.splitlines())
    (tmp_path / "my.yaml").write_text(everything)
    assert charrnn("config", "validate", "my.yaml").ok()
    assert len(everything) * 4 < MAX_CHARACTERS
    assert len(keys()) * 10 < MAX_TOKENS
    assert MAX_DEPTH > 3


@pytest.mark.parametrize(
    ("device", "said"),
    [("/dev/zero", LARGER), ("/dev/full", LARGER), ("/dev/urandom", "not UTF-8 text"), ("/dev/null", None)],
)
def test_row_49_a_device_is_not_read_without_end(device, said):
    if not os.path.exists(device):
        pytest.skip(f"there is no {device}")
    script = 'ulimit -v 4000000 2>/dev/null; exec "$@"'  # so that a failure does not take all memory
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "charrnn", "config", "validate", device]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    told(Result(done.returncode, done.stdout, done.stderr.decode()), said)


@pytest.fixture
def pipe(tmp_path):
    """A named pipe into which somebody writes this, for as long as anybody reads."""
    threads = []

    def make(text):
        def write():
            with contextlib.suppress(BrokenPipeError):
                (tmp_path / "pipe").write_text(text)

        os.mkfifo(tmp_path / "pipe")
        threads.append(threading.Thread(target=write))
        threads[-1].start()
        return "pipe"

    yield make
    for thread in threads:
        thread.join()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(("text", "said"), [("model: {cell: gru}\n", None), ("# more\n" * (1 << 20), LARGER)])
def test_row_49_a_config_may_come_from_a_pipe_which_is_read_as_far_as_needed(charrnn, pipe, text, said):
    told(charrnn("config", "show", pipe(text)), said)


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="there is no /dev/fd here")
def test_row_49_what_a_shell_calls_a_process_substitution_is_a_config(process):
    assert "  cell: gru " in process("config", "show", "/dev/fd/0", stdin=b"model: {cell: gru}\n").ok().text
