"""Checkpoints: all of a run comes back, and no file whatever does anything but load or be refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest

import charrnn
from charrnn import checkpoint as checkpoints
from charrnn.checkpoint import Checkpoint
from charrnn.config.resolve import Setting, resolve
from charrnn.errors import CheckpointError, OutputError
from charrnn.nn.cells import CELLS
from charrnn.text.batches import Windows
from charrnn.text.encoding import decode
from charrnn.training import loop, optim
from charrnn.training.run import Run

TEXT = decode(["a naïve café, a façade; no cliché\n".encode() * 9], "a text", "utf-8")


def trained(**changes):
    """A run after five updates."""
    small = {"model.hidden_size": 2, "train.batch_size": 2, "train.seq_length": 5, "train.seed": 3}
    small |= {"data.split": [1, 0, 0]} | changes
    config, _ = resolve([Setting(key, value, "test") for key, value in small.items()])
    run, split, _ = Run.prepare(config, TEXT)
    updates = loop.updates(
        run, Windows(split.train, 5), checkpoints.build_optimizer(config), lambda p: 0.01, lambda: run.iteration / 5
    )
    assert len(list(updates)) == 5
    return run


@pytest.fixture(scope="module")
def small():
    return trained()


@pytest.fixture(scope="module")
def whole(small):
    """The bytes of a small checkpoint."""
    return checkpoints.to_bytes(small)


def load_bytes(data, path):
    path.write_bytes(data)
    return checkpoints.load(path)


def refused(data, tmp_path, message):
    with pytest.raises(CheckpointError, match=message) as error:
        load_bytes(data, tmp_path / "crafted.npz")
    assert str(error.value).startswith(str(tmp_path / "crafted.npz"))
    assert "\n" not in str(error.value)
    return str(error.value)


def same(a: Checkpoint, b: Checkpoint):
    return checkpoints.to_bytes(a) == checkpoints.to_bytes(b)


# --- the way out and back ---


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_comes_back(cell, name, dtype, tmp_path):
    run = trained(
        **{"model.cell": cell, "optim.name": name, "train.dtype": dtype},
        **{"model.num_layers": 2, "model.initial_state": "learned", "model.dropout": 0.2, "train.time_budget": 60},
    )
    run.validation_nats, run.best_nats, run.elapsed = 1.25, 0.1 + 0.2, 12.5
    checkpoints.save(run, tmp_path / "c.npz")
    back = checkpoints.load(tmp_path / "c.npz")

    assert (back.config, back.vocabulary, back.corpus) == (run.config, run.vocabulary, run.corpus)
    assert (back.iteration, back.validation_nats, back.best_nats, back.elapsed) == (5, 1.25, 0.1 + 0.2, 12.5)
    assert back.params.keys() == run.params.keys()
    np.testing.assert_array_equal(back.params.vector, run.params.vector)
    assert back.params.vector.dtype == dtype
    assert back.slots.keys() == run.slots.keys()
    for slot in run.slots:
        np.testing.assert_array_equal(back.slots[slot], run.slots[slot])
        assert np.any(run.slots[slot])
    for ours, theirs in zip(back.state, run.state, strict=True):
        assert ours.keys() == theirs.keys()
        for key, array in ours.items():
            np.testing.assert_array_equal(array, theirs[key])
            assert np.any(array)
    assert back.rng.random(5).tolist() == run.rng.random(5).tolist()
    assert back.versions == {"charrnn": charrnn.__version__, "numpy": np.__version__}
    assert charrnn.load(str(tmp_path / "c.npz")).iteration == 5


def test_the_same_run_gives_the_same_bytes_and_so_does_what_was_loaded(small, whole, tmp_path):
    assert checkpoints.to_bytes(small) == whole
    assert checkpoints.to_bytes(trained()) == whole
    assert checkpoints.to_bytes(load_bytes(whole, tmp_path / "c.npz")) == whole


def test_the_time_is_kept_only_where_the_clock_ends_the_run(small, tmp_path):
    small.elapsed = 99.0
    try:
        assert load_bytes(checkpoints.to_bytes(small), tmp_path / "c.npz").elapsed == 0
    finally:
        small.elapsed = 0.0


def members_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def meta_of(data):
    return json.loads(np.load(io.BytesIO(members_of(data)["__meta__.npy"])).tobytes())


def test_the_file_is_an_npz_that_numpy_reads_with_the_members_and_meta_documented(small, whole):
    stored = np.load(io.BytesIO(whole), allow_pickle=False)
    names = ["layers.0.W", "layers.0.b", "head.W", "head.b"]
    expected = ["__meta__", *names, *(f"optim.{slot}.{name}" for slot in "ms" for name in names), "optim.count"]
    assert sorted(stored.files) == sorted([*expected, "state.0.h", "state.0.c"])
    for name in names:
        np.testing.assert_array_equal(stored[name], small.params[name])
    assert stored["optim.count"].tolist() == [5]
    np.testing.assert_array_equal(stored["state.0.c"], small.state[0]["c"])

    meta = meta_of(whole)
    assert (meta["format"], meta["version"], meta["iteration"]) == ("charrnn", 1, 5)
    assert meta["vocabulary"] == {"symbols": "".join(sorted(TEXT.symbols)), "encoding": "utf-8"}
    assert meta["corpus"] == {"name": "a text", "size": TEXT.size, "sha256": TEXT.sha256}
    assert meta["config"]["model"]["hidden_size"] == 2
    assert meta["arrays"].keys() == set(stored.files) - {"__meta__"}
    for name, (dtype, shape, sha256) in meta["arrays"].items():
        array = stored[name]
        assert (array.dtype.str, list(array.shape)) == (dtype, shape)
        assert hashlib.sha256(array.tobytes()).hexdigest() == sha256


def test_a_directory_means_its_best_checkpoint_or_else_its_last(small, tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        checkpoints.load(tmp_path)
    checkpoints.save(small, tmp_path / "last.npz")
    assert checkpoints.find(tmp_path) == tmp_path / "last.npz"
    checkpoints.save(small, tmp_path / "best.npz")
    assert checkpoints.find(tmp_path) == tmp_path / "best.npz"
    assert same(checkpoints.load(tmp_path), small)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(small, whole, tmp_path, monkeypatch):
    checkpoints.save(small, tmp_path / "c.npz")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="No space left"):
        checkpoints.save(small, tmp_path / "c.npz")
    assert (tmp_path / "c.npz").read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


# --- damage ---


def test_every_truncation_is_refused(whole, tmp_path):
    path = tmp_path / "cut.npz"
    lengths = [*range(200), *range(200, len(whole), 23), *range(len(whole) - 60, len(whole))]
    for length in lengths:
        with pytest.raises(CheckpointError):
            load_bytes(whole[:length], path)


def test_no_single_bit_flip_is_silent(small, whole, tmp_path):
    """Each is a CheckpointError, or in a place that means nothing."""
    path = tmp_path / "flipped.npz"
    beginning = range(600 * 8)
    elsewhere = np.random.default_rng(0).choice(np.arange(600 * 8, len(whole) * 8), 1500, replace=False)
    outcomes = {"refused": 0, "identical": 0}
    for bit in [*beginning, *elsewhere.tolist()]:
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            back = load_bytes(flipped, path)
        except CheckpointError:
            outcomes["refused"] += 1
        except BaseException as error:
            raise AssertionError(f"bit {bit % 8} of byte {bit // 8}: {error!r}") from error
        else:
            assert same(back, small), f"bit {bit % 8} of byte {bit // 8} changes what is loaded"
            outcomes["identical"] += 1
    assert outcomes["refused"] > 5000


# --- crafted files ---


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text):
    """A .npy file with this header and no data."""
    encoded = text.encode().ljust(118 - 10 + 10) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded


def craft(data, change=lambda meta: None, replace=(), add=(), without=(), compress=()):
    """The checkpoint `data` again, its meta changed, members replaced, added, left out or compressed."""
    members = {k: v for k, v in members_of(data).items() if k not in without} | dict(replace)
    if "__meta__.npy" in members and "__meta__.npy" not in dict(replace):
        meta = meta_of(data)
        for name, content in dict(replace).items():  # the forger knows how to compute a sha256
            if content[:6] == b"\x93NUMPY":
                meta["arrays"][name.removesuffix(".npy")][2] = hashlib.sha256(content[128:]).hexdigest()
        meta = change(meta) or meta
        members["__meta__.npy"] = npy(np.frombuffer(json.dumps(meta).encode(), np.uint8))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in [*members.items(), *add]:
            how = zipfile.ZIP_DEFLATED if name in compress else zipfile.ZIP_STORED
            archive.writestr(name, content, how)
    return buffer.getvalue()


def put(path, value):
    def change(meta):
        *parents, last = path.split(".")
        inner = meta
        for parent in parents:
            inner = inner[parent]
        inner[last] = value

    return change


def test_a_checkpoint_crafted_without_a_change_loads(small, whole, tmp_path):
    assert same(load_bytes(craft(whole), tmp_path / "c.npz"), small)


class Marks:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickled_object_never_runs(whole, tmp_path):
    marker = tmp_path / "marker"
    array = np.empty((3, 4), object)
    array[:] = Marks(marker)
    pickled = io.BytesIO()
    np.save(pickled, array, allow_pickle=True)
    refused(craft(whole, replace={"head.W.npy": pickled.getvalue()}), tmp_path, "damaged")
    refused(craft(whole, replace={"__meta__.npy": pickled.getvalue()}), tmp_path, "damaged")
    refused(craft(whole, replace={"__meta__.npy": pickle.dumps(Marks(marker))}), tmp_path, "damaged")
    refused(pickled.getvalue(), tmp_path, "not a zip archive")
    refused(pickle.dumps(Marks(marker)), tmp_path, "not a zip archive")
    assert not marker.exists()
    pickle.loads(pickle.dumps(Marks(marker)))
    assert marker.exists()  # the trap works


HEADERS = {
    "a huge shape": "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }",
    "a shape beyond all": "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
    "a negative shape": "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -2), }",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "long strings": "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (2,), }",
    "records": "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    "columns": "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }",
    "no dict": "[1, 2]",
    "a call": "__import__('os').system('true')",
    "an open bracket": "{'descr': '<f4', 'fortran_order': False, 'shape': (2, ",
    "an open string": "{'descr': '<f4",
    "two lines": "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n  x",
    "long integers of Python 2": "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }",
    "deep brackets": "(" * 500 + ")" * 500,
    "many signs": "-" * 900 + "1",
    "nothing": "",
    "NUL": "{'descr': '<f4', 'fortran_order': False, \0",
}


@pytest.mark.parametrize("member", ["head.b", "__meta__"])
@pytest.mark.parametrize("what", HEADERS)
def test_a_header_that_is_not_the_one_expected_is_refused(what, member, whole, tmp_path):
    refused(craft(whole, replace={f"{member}.npy": header(HEADERS[what])}), tmp_path, "damaged")


CRAFTED = {
    "a format version of the future": (
        {"change": put("version", 2)},
        f"format version 2 .written by charrnn {charrnn.__version__}., and this charrnn reads 1",
    ),
    "no version": ({"change": lambda meta: meta.pop("version") and None}, "damaged"),
    "another program's": ({"change": put("format", "keras")}, "was not written by charrnn"),
    "a list for meta": ({"change": lambda meta: [meta]}, "was not written by charrnn"),
    "meta that is not JSON": ({"replace": {"__meta__.npy": npy(np.frombuffer(b"{", np.uint8))}}, "damaged"),
    "meta that is not UTF-8": ({"replace": {"__meta__.npy": npy(np.frombuffer(b"\xff\xfe\xfd", np.uint8))}}, "damaged"),
    "meta nested deeply": (
        {"replace": {"__meta__.npy": npy(np.frombuffer(b"[" * 100_000, np.uint8))}},
        "damaged",
    ),
    "meta with a number of 9,000 digits": (
        {"replace": {"__meta__.npy": npy(np.frombuffer(b"9" * 9000, np.uint8))}},
        "damaged",
    ),
    "meta of 17 MiB": (
        {"replace": {"__meta__.npy": npy(np.zeros(17 << 20, np.uint8))}},
        "larger than 16 MiB",
    ),
    "no meta": ({"without": ["__meta__.npy"]}, "has no __meta__"),
    "a missing array": ({"without": ["head.b.npy"]}, "head.b"),
    "a missing state": ({"without": ["state.0.c.npy"]}, "state.0.c"),
    "an extra array": ({"add": [("extra.npy", npy(np.ones(2)))]}, "extra"),
    "an extra file": ({"add": [("../../evil.txt", b"x")]}, "evil.txt"),
    "a compressed member": ({"compress": ["head.W.npy"]}, "'head.W.npy' is compressed"),
    "another type": ({"replace": {"head.b.npy": npy(np.ones(17))}}, "head.b is float64"),
    "another byte order": ({"replace": {"head.b.npy": npy(np.ones(17, ">f4"))}}, "head.b is >f4"),
    "another shape": ({"replace": {"head.b.npy": npy(np.ones((17, 1), np.float32))}}, r"\(17, 1\)"),
    "not an array": ({"replace": {"head.b.npy": b"x" * 200}}, "damaged"),
    "an empty member": ({"replace": {"head.b.npy": b""}}, "damaged"),
    "another cell": ({"change": put("config.model.cell", "gru")}, "its members do not fit its configuration"),
    "another optimizer": ({"change": put("config.optim.name", "sgd")}, "its members do not fit its configuration"),
    "another dtype": ({"change": put("config.train.dtype", "float64")}, "damaged"),
    "an unknown key": ({"change": put("config.model.depth", 3)}, "unknown key 'model.depth'"),
    "a wrong value": ({"change": put("config.model.hidden_size", -1)}, "model.hidden_size is -1"),
    "a config that is none": ({"change": put("config", 3)}, "not a mapping of mappings"),
    "no seed": ({"change": put("config.train.seed", None)}, "no seed"),
    "a learning rate beyond floats": ({"change": put("config.optim.learning_rate", 10**400)}, "damaged"),
    "no characters": ({"change": put("vocabulary.symbols", "")}, "vocabulary"),
    "characters that are none": ({"change": put("vocabulary.symbols", 17)}, "vocabulary"),
    "characters in a list": (
        {"change": lambda m: put("vocabulary.symbols", list(m["vocabulary"]["symbols"]))(m)},
        "vocabulary",
    ),
    "characters out of order": (
        {"change": lambda m: put("vocabulary.symbols", m["vocabulary"]["symbols"][::-1])(m)},
        "vocabulary",
    ),
    "a character twice": (
        {"change": lambda m: put("vocabulary.symbols", "\n" + m["vocabulary"]["symbols"])(m)},
        "vocabulary",
    ),
    "one character more": (
        {"change": lambda m: put("vocabulary.symbols", m["vocabulary"]["symbols"] + "🦊")(m)},
        "damaged",
    ),
    "an encoding that is none": ({"change": put("vocabulary.encoding", 5)}, "damaged"),
    "an encoding that the config does not have": ({"change": put("vocabulary.encoding", "bytes")}, "damaged"),
    "an entry unknown": ({"change": put("vocabulary.order", "x")}, "damaged"),
    "a corpus that is none": ({"change": put("corpus", [])}, "damaged"),
    "a corpus whose size is a word": ({"change": put("corpus.size", "big")}, "damaged"),
    "an iteration below nothing": ({"change": put("iteration", -1)}, "a count is not a whole number"),
    "an iteration and a half": ({"change": put("iteration", 1.5)}, "a count is not a whole number"),
    "an iteration that is true": ({"change": put("iteration", True)}, "a count is not a whole number"),
    "a loss that is not a number": ({"change": put("best_nats", float("nan"))}, "a loss is not a number"),
    "a loss that is a word": ({"change": put("validation_nats", "low")}, "a loss is not a number"),
    "an endless time": ({"change": put("elapsed", float("inf"))}, "a loss is not a number"),
    "no random state": ({"change": put("rng", {})}, "damaged"),
    "another generator's state": ({"change": put("rng.bit_generator", "MT19937")}, "damaged"),
    "a random state of words": ({"change": put("rng.state.state", "x")}, "damaged"),
    "a random state below nothing": ({"change": put("rng.state.inc", -1)}, "damaged"),
    "a random state too large": ({"change": put("rng.state.state", 1 << 200)}, "damaged"),
    "versions in a list": ({"change": put("versions", ["1"])}, "damaged"),
    "no list of arrays": ({"change": put("arrays", {})}, "damaged"),
    "another sha256": (
        {"change": lambda m: m["arrays"]["head.b"].__setitem__(2, "0" * 64)},
        "sha256 of head.b differs",
    ),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_a_crafted_file_is_refused(what, whole, tmp_path):
    changes, message = CRAFTED[what]
    refused(craft(whole, **changes), tmp_path, message)


def test_what_names_the_corpus_and_the_writer_is_text_whatever_the_file_has(whole, tmp_path):
    crafted = {"corpus.name": 5, "corpus.sha256": [1], "versions": {"charrnn": 7}}
    back = load_bytes(craft(whole, lambda meta: [put(k, v)(meta) for k, v in crafted.items()] and None), tmp_path / "c")
    assert all(type(value) is str for value in (back.corpus.name, back.corpus.sha256, back.versions["charrnn"]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["layers.0.W", "optim.s.head.b", "state.0.c"])
def test_numbers_that_are_not_finite_are_refused_by_the_name_of_their_array(name, value, whole, tmp_path):
    array = np.load(io.BytesIO(whole))[name]
    array.flat[1] = value
    message = refused(craft(whole, replace={f"{name}.npy": npy(array)}), tmp_path, "not finite")
    assert name in message


def test_an_array_stored_by_columns_is_refused(whole, tmp_path):
    turned = np.asfortranarray(np.load(io.BytesIO(whole))["head.W"])
    refused(craft(whole, replace={"head.W.npy": npy(turned)}), tmp_path, "damaged")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_duplicate_member_is_refused(whole, tmp_path):
    members = members_of(whole)
    refused(craft(whole, add=[("head.b.npy", members["head.b.npy"])]), tmp_path, "a duplicate")
    refused(craft(whole, add=[("head.b", members["head.b.npy"])]), tmp_path, "a duplicate")


def test_what_is_not_a_checkpoint_at_all_is_told_so(tmp_path):
    for content in (b"", b"text", b"\x89PNG\r\n", npy(np.ones(3)), b"PK\x05\x06" + b"\0" * 18, b"PK\x03\x04" * 99):
        refused(content, tmp_path, "is not a charrnn checkpoint, or is damaged")
    others = io.BytesIO()
    np.savez(others, x=np.ones(3))
    refused(others.getvalue(), tmp_path, "has no __meta__")


def test_what_is_not_a_file_is_told_so(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        checkpoints.load(tmp_path / "missing.npz")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(CheckpointError, match="loop"):
        checkpoints.load(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "best.npz").mkdir()
    with pytest.raises(CheckpointError, match="is not a file"):
        checkpoints.load(tmp_path / "folder")
    with pytest.raises(CheckpointError):
        checkpoints.load("a\0b")
    with pytest.raises(CheckpointError):
        checkpoints.load("x" * 5000)


HUGE = {
    "hidden": {"model.hidden_size": 65536},
    "layers": {"model.hidden_size": 8192, "model.num_layers": 64},
    "batch": {"train.batch_size": 10**10},
    "batch beyond 64 bits": {"train.batch_size": 10**25},
}


@pytest.fixture(scope="module")
def loaded_under_limit(whole, tmp_path_factory):
    """What loading each of several hostile files says in a process of 4 GiB at most, and the memory it took."""
    folder = tmp_path_factory.mktemp("hostile")
    os.mkfifo(folder / "fifo")
    for name, settings in HUGE.items():

        def change(meta, settings=settings):
            for key, value in settings.items():
                put(f"config.{key}", value)(meta)

        (folder / name).write_bytes(craft(whole, change=change))
        # Here the directory of the archive claims that its last member is large enough.
        lying = io.BytesIO(craft(whole, change=change))
        with zipfile.ZipFile(lying, "a") as archive:
            archive.filelist[-1].file_size = archive.filelist[-1].compress_size = 1 << 62
            archive._didModify = True
        (folder / f"{name}, lying").write_bytes(lying.getvalue())
    script = """
        import json, resource, sys
        from pathlib import Path
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        from charrnn import checkpoint
        from charrnn.errors import CheckpointError
        said = {}
        for path in sorted(Path(sys.argv[1]).iterdir()):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                checkpoint.load(path)
            except CheckpointError as error:
                after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                said[path.name] = str(error), (after - before) << 10
        print(json.dumps(said))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("lies", ["", ", lying"])
@pytest.mark.parametrize("name", HUGE)
def test_a_configuration_larger_than_the_file_is_refused_before_anything_is_allocated(name, lies, loaded_under_limit):
    message, memory = loaded_under_limit[name + lies]
    assert "damaged" in message
    assert "MemoryError" not in message
    assert memory < 50 << 20


def test_a_pipe_is_refused_and_not_waited_for(loaded_under_limit):
    assert "fifo is not a file" in loaded_under_limit["fifo"][0]
