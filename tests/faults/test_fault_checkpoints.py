"""Run files that are damaged or hostile: they load as they were written, or are refused in one line."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from crafting import (
    craft,
    header,
    headers,
    is_one_line,
    json_npy,
    load_bytes,
    members_of,
    meta_of,
    npy,
    overwrite,
    put,
    refused,
    same,
    small_run,
    zipped,
)
from driving import in_process
from makers import make_golden

import charrnn
from charrnn import errors
from charrnn.runs import archive, zip_format
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.run import Corpus, Run
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.encoding import decode
from charrnn.text.vocabulary import MOST_SYMBOLS, Vocabulary
from charrnn.training import loop
from charrnn.training.gradients import alone
from charrnn.training.preparing import split_of

NOT_ONE = "is not a charrnn checkpoint, or is damaged"


@pytest.fixture(scope="module")
def finished(text, tiny, tmp_path_factory):
    """A run directory with `last.npz` of iteration 12 and `prev.npz` of iteration 10; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    in_process("train", text, "-c", tiny, "-o", "run", "-q", "--set", "data.split=[1,0,0]", cwd=folder).ok()
    return folder / "run"


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, in the directory where commands run."""
    return shutil.copytree(finished, tmp_path / "run")


def names(whole):
    """Of the arrays in a checkpoint."""
    return [name.removesuffix(".npy") for name in members_of(whole) if name != "__meta__.npy"]


# --- row 12: truncated ---

CUTS = {"0": 0, "1": 1, "4": 4, "10": 10, "30": 30, "half": 0.5, "all but one": -1}


def cut(data, where):
    return data[: len(data) // 2 if where == 0.5 else where]


@pytest.mark.parametrize("command", ["info", "sample"])
@pytest.mark.parametrize("where", CUTS.values(), ids=CUTS)
def test_row_12_a_checkpoint_cut_short_is_refused_in_one_line(charrnn, finished, tmp_path, command, where):
    (tmp_path / "cut.npz").write_bytes(cut((finished / "last.npz").read_bytes(), where))
    charrnn(command, "cut.npz").fails(4, f"cut.npz {NOT_ONE}")


@pytest.mark.parametrize("where", CUTS.values(), ids=CUTS)
def test_row_12_a_run_goes_on_from_the_checkpoint_before_one_cut_short(charrnn, finished, run, where):
    whole = (run / "last.npz").read_bytes()
    (run / "last.npz").write_bytes(cut(whole, where))
    said = charrnn("train", "-o", "run", "--resume").ok().err
    (passed_over,) = [line for line in said.splitlines() if "passed over" in line]
    assert f"last.npz {NOT_ONE}" in passed_over
    assert "resuming at iteration 10" in said
    assert (run / "last.npz").read_bytes() == whole
    assert not list(run.glob(".*.tmp-*"))


def test_row_12_no_length_but_the_whole_one_is_taken(whole, tmp_path):
    lengths = [*range(200), *range(200, len(whole), 23), *range(len(whole) - 120, len(whole))]
    for length in lengths:
        refused(whole[:length], tmp_path, NOT_ONE)


# --- row 13: every bit ---


def flip_each(bits, run, path):
    """How many of these bits of the run's checkpoint are noticed, and how many mean nothing. None may be silent."""
    whole = checkpoints.to_bytes(run)
    outcomes = Counter(refused=0, identical=0)
    for bit in bits:
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            back = load_bytes(flipped, path)
        except errors.CheckpointError:
            outcomes["refused"] += 1
        except BaseException as error:
            raise AssertionError(f"bit {bit % 8} of byte {bit // 8}: {error!r}") from error
        else:
            assert same(back, run), f"bit {bit % 8} of byte {bit // 8} changes what is loaded"
            outcomes["identical"] += 1
    return outcomes


def test_row_13_no_single_bit_flip_is_silent(small, whole, tmp_path):
    beginning = range(600 * 8)
    elsewhere = np.random.default_rng(0).choice(np.arange(600 * 8, len(whole) * 8), 700, replace=False)
    outcomes = flip_each([*beginning, *elsewhere.tolist()], small, tmp_path / "flipped.npz")
    assert outcomes["refused"] > 4500
    assert outcomes["identical"] < 1000


@pytest.mark.long
@pytest.mark.parametrize(("cell", "optimizer"), [("rnn", "sgd"), ("gru", "momentum"), ("lstm", "adam")])
def test_row_13_no_bit_of_a_whole_checkpoint_flips_silently(cell, optimizer, tmp_path):
    run = small_run(**{"model.cell": cell, "optim.name": optimizer})
    bits = len(checkpoints.to_bytes(run)) * 8
    outcomes = flip_each(range(bits), run, tmp_path / "flipped.npz")
    print(f"{cell}: {bits:,} bits flipped, {outcomes['refused']:,} refused, {outcomes['identical']:,} without meaning")
    assert outcomes.total() == bits
    assert outcomes["refused"] > bits * 0.8


# --- row 14: members ---


def test_row_14_a_member_whose_shape_has_a_bit_flipped_is_named(whole, tmp_path):
    """And the sums are right, so that nothing but the shape tells."""
    for name in ["__meta__", *names(whole)]:
        content = members_of(whole)[f"{name}.npy"]
        first, last = content.index(b"'shape': (") + 9, content.index(b"), }")
        for bit in range(first * 8, (last + 1) * 8):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            assert name in refused(craft(whole, replace={f"{name}.npy": bytes(flipped)}), tmp_path, NOT_ONE)


def test_row_14_a_member_whose_content_has_a_bit_flipped_is_named(whole, tmp_path):
    for name, content in members_of(whole).items():
        flipped = bytearray(whole)
        flipped[whole.index(content) + len(content) - 1] ^= 1
        assert name.removesuffix(".npy") in refused(flipped, tmp_path, NOT_ONE)


def test_row_14_a_member_that_is_missing_or_has_another_name_is_named(whole, tmp_path):
    for name, content in members_of(whole).items():
        for add in ([], [("zzz.npy", content)]):
            message = refused(craft(whole, without=[name], add=add), tmp_path, NOT_ONE)
            assert name.removesuffix(".npy") in message


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_row_14_a_member_that_is_there_twice_is_named(whole, tmp_path):
    for name, content in members_of(whole).items():
        short = name.removesuffix(".npy")
        for again in (name, short):
            data = zipped([*members_of(whole).items(), (again, content)])
            refused(data, tmp_path, f"it has '{short}' 2 times, and not 1")


@pytest.mark.parametrize("name", ["extra.npy", "extra", "head.b.npy.npy", "__meta__.npy.npy", "Head.b.npy", ".npy"])
def test_row_14_a_member_too_many_is_named(whole, tmp_path, name):
    refused(
        craft(whole, add=[(name, npy(np.ones(2)))]), tmp_path, f"has '{name.removesuffix('.npy')}' 1 times, and not 0"
    )


MEMBERS = {
    "another type": (npy(np.ones(18)), r"head.b is float64 \(18,\), and its configuration means float32 \(18,\)"),
    "another byte order": (npy(np.ones(18, ">f4")), "head.b is >f4"),
    "another shape": (npy(np.ones((18, 1), np.float32)), r"head.b is float32 \(18, 1\)"),
    "another size": (npy(np.ones(19, np.float32)), r"head.b is float32 \(19,\)"),
    "a number too many": (npy(np.ones(18, np.float32)) + bytes(4), "head.b has 73 bytes and not 72"),
    "a number too few": (npy(np.ones(18, np.float32))[:-4], "head.b has 68 bytes and not 72"),
    "no array": (b"x" * 200, "head.b cannot be read"),
    "nothing": (b"", "head.b cannot be read"),
    "an archive": (zipped([("head.b.npy", npy(np.ones(18, np.float32)))]), "head.b cannot be read"),
}


@pytest.mark.parametrize("what", MEMBERS)
def test_row_14_a_member_that_does_not_fit_is_named(whole, tmp_path, what):
    content, message = MEMBERS[what]
    refused(craft(whole, replace={"head.b.npy": content}), tmp_path, message)


def test_row_14_an_array_stored_by_columns_is_named(whole, tmp_path):
    turned = np.asfortranarray(np.load(io.BytesIO(whole))["head.W"])
    refused(craft(whole, replace={"head.W.npy": npy(turned)}), tmp_path, "head.W cannot be read")


# --- row 15: not a checkpoint ---

OTHERS = {
    "text": b"Once upon a time\n" * 50,
    "empty": b"",
    "array": npy(np.ones(3)),
    "pickle": pickle.dumps({"head.W": np.ones(3)}),
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)),
    "zeros": bytes(5000),
    "empty zip": b"PK\5\6" + bytes(18),
    "beginnings of a zip": b"PK\3\4" * 99,
    "zip of texts": zipped([("notes.txt", b"Once upon a time")]),
    "npz of others": zipped([("x.npy", npy(np.ones(3)))]),
}


@pytest.mark.parametrize("command", ["info", "sample"])
@pytest.mark.parametrize("kind", OTHERS)
def test_row_15_what_is_no_checkpoint_is_told_so(charrnn, tmp_path, command, kind):
    (tmp_path / "odd.npz").write_bytes(OTHERS[kind])
    charrnn(command, "odd.npz").fails(4, f"odd.npz {NOT_ONE}")


PLACES = {
    "directory": (Path.mkdir, "odd.npz holds no checkpoint"),
    "directory of directories": (lambda path: (path / "best.npz").mkdir(parents=True), "best.npz "),
    "pipe": (lambda path: os.mkfifo(path), "odd.npz is not a file"),
    "loop": (lambda path: path.symlink_to(path), "odd.npz"),
    "link to nothing": (lambda path: path.symlink_to("nowhere"), "odd.npz: no such file"),
    "link to a device": (lambda path: path.symlink_to("/dev/zero"), "odd.npz is not a file"),
    "nothing": (lambda path: None, "odd.npz: no such file"),
}


@pytest.mark.parametrize("command", ["info", "sample"])
@pytest.mark.parametrize("kind", PLACES)
def test_row_15_what_is_no_file_is_told_so_and_not_waited_for(process, tmp_path, command, kind):
    make, message = PLACES[kind]
    make(tmp_path / "odd.npz")
    process(command, "odd.npz").fails(4, message)


@pytest.mark.parametrize("kind", [*OTHERS, "directory", "pipe", "link to a device"])
def test_row_15_a_run_goes_on_from_the_checkpoint_before_a_file_that_is_none(process, finished, run, kind):
    (run / "last.npz").unlink()
    if kind in OTHERS:
        (run / "last.npz").write_bytes(OTHERS[kind])
    else:
        PLACES[kind][0](run / "last.npz")
    said = process("train", "-o", "run", "--resume").ok().err
    assert "last.npz" in next(line for line in said.splitlines() if "passed over" in line)
    assert "resuming at iteration 10" in said
    assert (run / "last.npz").read_bytes() == (finished / "last.npz").read_bytes()


@pytest.mark.parametrize("name", ["a\0b.npz", "x" * 5000])
def test_row_15_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(errors.CheckpointError):
        checkpoints.load(name)


# --- row 16: pickles ---


class Marks:
    """Leaves a file where a pickle of it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def pickled(value):
    """A .npy file that holds it as an object."""
    array = np.empty((3, 4), object)
    array[:] = value
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


PICKLED = {
    "an array of objects": lambda whole, trap: craft(whole, replace={"head.W.npy": pickled(trap)}),
    "meta of objects": lambda whole, trap: craft(whole, replace={"__meta__.npy": pickled(trap)}),
    "a pickle for an array": lambda whole, trap: craft(whole, replace={"head.W.npy": pickle.dumps(trap)}),
    "a pickle for meta": lambda whole, trap: craft(whole, replace={"__meta__.npy": pickle.dumps(trap)}),
    "a pickle too many": lambda whole, trap: craft(whole, add=[("data.pkl", pickle.dumps(trap))]),
    "an array alone": lambda whole, trap: pickled(trap),
    "a pickle alone": lambda whole, trap: pickle.dumps(trap),
    "as PyTorch has it": lambda whole, trap: zipped([("archive/data.pkl", pickle.dumps(trap))]),
}


@pytest.mark.parametrize("command", ["info", "sample", "eval", "gradcheck", "train"])
@pytest.mark.parametrize("where", PICKLED)
def test_row_16_a_pickle_never_runs(charrnn, text, whole, tmp_path, command, where):
    marker = tmp_path / "marker"
    (tmp_path / "odd.npz").write_bytes(PICKLED[where](whole, Marks(marker)))
    words = {"eval": ["odd.npz", text], "train": [text, "--init-from", "odd.npz"]}.get(command, ["odd.npz"])
    charrnn(command, *words).fails(4, NOT_ONE)
    assert not marker.exists()


def test_row_16_the_trap_works(tmp_path):
    np.load(io.BytesIO(pickled(Marks(tmp_path / "marker"))), allow_pickle=True)
    assert (tmp_path / "marker").exists()


# --- rows 17, 20, 21: what is small and claims to be large ---

MIB = 1 << 20
STORED, DEFLATED, BZIP2, LZMA = (number.to_bytes(2, "little") for number in (0, 8, 12, 14))


def bomb(whole, member):
    """The checkpoint with a member that unfolds to 3 GiB, deflated to a thousandth of that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(members_of(whole)[member]) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = craft(whole, replace={member: packed + block * 3072 + packer.flush()})
    size = struct.pack("<I", 3 << 30)
    return overwrite(data, member, local={8: DEFLATED, 22: size}, central={10: DEFLATED, 24: size})


def crowd(number, disguised=False):
    """An archive of so many empty members; to a hasty reader of its end, of none."""
    named = [b"%06d.npy" % n for n in range(number)]
    local = [b"PK\3\4" + bytes(22) + struct.pack("<HH", 10, 0) + name for name in named]
    listed = [
        b"PK\1\2" + bytes(24) + struct.pack("<H", 10) + bytes(12) + struct.pack("<I", 40 * n) + name
        for n, name in enumerate(named)
    ]
    end, comment = 96 * number, b""
    if disguised:  # as the end of a large archive is, but for a sign without which zipfile passes over it
        comment = b"none" + bytes(36) + struct.pack("<2Q4sIQI", 0, end, b"PK\6\7", 0, end, 1)
        listed[-1] = listed[-1][:32] + struct.pack("<H", len(comment)) + listed[-1][34:] + comment
    whole_list = b"".join(listed)
    return b"".join([*local, whole_list, b"PK\5\6", bytes(8), struct.pack("<2IH", len(whole_list), 40 * number, 0)])


def one_for_all(whole, number):
    """The checkpoint, whose list names one of its members so many times more."""
    _, start = headers(whole)["head.W.npy"]
    (directory,) = struct.unpack("<I", whole[-6:-2])
    listed = whole[directory:-22] + whole[start : start + 56] * number
    return whole[:directory] + listed + whole[-22:-10] + struct.pack("<2IH", len(listed), directory, 0)


def configured(whole, **changes):
    def change(meta):
        for path, value in changes.items():
            put(f"config.{path}", value)(meta)

    return craft(whole, change)


def lying(data):
    """The list of the archive claims that its last member is as large as anyone could wish."""
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as forged:
        forged.filelist[-1].file_size = forged.filelist[-1].compress_size = 1 << 62
        forged._didModify = True
    return buffer.getvalue()


CLAIMS = {
    "hidden_size at most": {"model.hidden_size": 65536},
    "hidden_size beyond": {"model.hidden_size": 10**9},
    "num_layers at most": {"model.hidden_size": 8192, "model.num_layers": 64},
    "num_layers beyond": {"model.num_layers": 10**6},
    "batch_size": {"train.batch_size": 10**10},
    "batch_size beyond 64 bits": {"train.batch_size": 10**25},
    "rtrl": {"train.gradient": "rtrl", "model.hidden_size": 4000},
}


def hostile(whole):
    """Files by their names, each with the rest of the checkpoint as it should be."""
    most = archive.MAX_META - 10_000
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))

    def with_meta(text):
        return craft(whole, replace={"__meta__.npy": json_npy(text)})

    def full_of(item):
        return with_meta(b"[" + item * (most // len(item)) + b"0]")

    files = {
        "17 bomb of an array": bomb(whole, "head.W.npy"),
        "17 bomb of the meta": bomb(whole, "__meta__.npy"),
        "17 bzip2": craft(whole, compress=["head.W.npy"], how=zipfile.ZIP_BZIP2),
        "17 lzma": craft(whole, compress=["head.W.npy"], how=zipfile.ZIP_LZMA),
        "17 nested": craft(whole, replace={"head.W.npy": bomb(whole, "head.W.npy")}),
        "17 nested meta": craft(whole, replace={"__meta__.npy": bomb(whole, "__meta__.npy")}),
        "17 a hundred thousand members": crowd(100_000),
        "17 three hundred thousand members": crowd(300_000),
        "17 three hundred thousand members in disguise": crowd(300_000, disguised=True),
        "17 as many members as the list may have": craft(whole, add=[(f"{n:05}.npy", b"") for n in range(18_000)]),
        "17 one member a thousand times": one_for_all(whole, 1000),
        "17 one member a hundred thousand times": one_for_all(whole, 100_000),
        "17 a lie about the size": lying(whole),
        "20 ten million characters": craft(whole, put("vocabulary.symbols", "a" * 10**7)),
        "20 as many characters as may be": craft(whole, put("vocabulary.symbols", everything[: most // 8])),
        "21 meta of 100 MB": with_meta(b"[" + b" " * 100 * MIB + b"]"),
        "21 meta with 100 MB behind it": craft(whole, replace={"__meta__.npy": json_npy(b"{}") + bytes(100 * MIB)}),
        "21 lists": full_of(b"[],"),
        "21 objects": full_of(b'{"a":0},'),
        "21 numbers": full_of(b"0.1,"),
        "21 words": full_of(b'"aa",'),
        "21 depth": with_meta(b"[" * most),
        "21 depth of objects": with_meta(b'{"a":' * (most // 5)),
        "21 a long key": craft(whole, lambda meta: meta["config"]["model"].update({"k" * most: 1})),
        "21 a long word": configured(whole, **{"model.cell": "lstm" * (most // 4)}),
        "21 a long encoding": configured(whole, **{"data.encoding": "u" * most}),
        "21 a long number": with_meta(b"9" * most),
        "21 a long split": configured(whole, **{"data.split": [1] * (most // 3)}),
        "21 keys nobody knows": configured(whole, **{f"model.hidden_siz{n}": 1 for n in range(most // 25)}),
    }
    for name, changes in CLAIMS.items():
        files[f"20 {name}"] = configured(whole, **changes)
        files[f"20 {name}, lying"] = lying(configured(whole, **changes))
    return files


HOSTILE = """
import json, os, resource, sys, time
from pathlib import Path

resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from charrnn.runs import checkpoint
from charrnn.errors import CheckpointError

def load(path):
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        checkpoint.load(path)
        said = ""
    except CheckpointError as error:
        said = str(error)
    return said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.process_time() - begun

whole, folder = map(Path, sys.argv[1:])
load(whole)  # whatever is imported late is there now
print(json.dumps([whole.name, *load(whole)]), flush=True)
for path in folder.iterdir():
    if os.fork() == 0:  # the most memory that a process had never becomes less
        print(json.dumps([path.name, *load(path)]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""


@pytest.fixture(scope="module")
def measured(whole, tmp_path_factory):
    """By name, what is said of each hostile file by a process of 4 GiB at most; KiB and seconds that it took."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "files").mkdir()
    (folder / "whole.npz").write_bytes(whole)
    for name, content in hostile(whole).items():
        (folder / "files" / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, folder / "whole.npz", folder / "files"],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: (said, memory, seconds) for name, said, memory, seconds in lines}


ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")


def refused_for_little(measured, row, less_than=100 * MIB):
    """Of all hostile files of a row: one line says what is wrong, in less than 2 seconds and so much memory."""
    found = {name: result for name, result in measured.items() if name.startswith(row)}
    for name, (said, memory, seconds) in found.items():
        assert NOT_ONE in said, f"{name}: {said}"
        assert "MemoryError" not in said
        is_one_line(said)
        assert memory << 10 < less_than, f"{name} took {memory:,} KiB"
        assert seconds < 2, f"{name} took {seconds:.1f} s"
    return found


@ON_LINUX
def test_row_17_a_bomb_of_whatever_make_is_refused_before_it_goes_off(measured):
    assert len(refused_for_little(measured, "17")) == 13


@ON_LINUX
def test_row_20_sizes_beyond_the_file_are_refused_before_anything_is_allocated(measured):
    assert len(refused_for_little(measured, "20")) == 2 * len(CLAIMS) + 2
    for name, (said, memory, _) in measured.items():
        if name.startswith(("20 hidden", "20 num", "20 batch", "20 rtrl")):
            assert memory < 10 << 10
            assert "bytes that its configuration means" in said or "it must be a whole number" in said


@ON_LINUX
def test_row_21_a_large_or_deep_meta_is_refused_for_little(measured):
    assert len(refused_for_little(measured, "21")) == 14


@ON_LINUX
def test_row_17_the_process_that_measures_loads_what_is_whole(measured):
    assert measured["whole.npz"][0] == ""


def test_row_17_the_bomb_is_one(whole, tmp_path):
    """A reader who believes the archive would unfold 3 GiB."""
    with zipfile.ZipFile(io.BytesIO(bomb(whole, "head.W.npy"))) as archive, archive.open("head.W.npy") as member:
        assert sum(len(member.read(MIB)) for _ in range(100)) == 100 * MIB
        assert archive.getinfo("head.W.npy").file_size == 3 << 30


# --- row 18: headers of arrays ---


def lines(text, version=1):
    """A .npy file of another format version: the length of its header is a number of four bytes."""
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<I", len(text)) + text.encode()


HEADERS = {
    "a huge shape": "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }",
    "a shape beyond 64 bits": "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
    "a shape whose product overflows": "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
    "a negative shape": "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -2), }",
    "a shape of a hundred axes": f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'1, ' * 99}1), }}",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "long strings": "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (2,), }",
    "long bytes": "{'descr': '|S1000000000', 'fortran_order': False, 'shape': (2,), }",
    "records": "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    "records in a word": "{'descr': '<f4,<f4', 'fortran_order': False, 'shape': (2,), }",
    "nothings": "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000,), }",
    "dates": "{'descr': '<M8[D]', 'fortran_order': False, 'shape': (2,), }",
    "old words": "{'descr': '|a9', 'fortran_order': False, 'shape': (2,), }",
    "a type that is none": "{'descr': '<f3', 'fortran_order': False, 'shape': (2,), }",
    "half a type": "{'descr': '<b4', 'fortran_order': False, 'shape': (2,), }",
    "columns": "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }",
    "no dict": "[1, 2]",
    "a call": "__import__('os').system('true')",
    "an open bracket": "{'descr': '<f4', 'fortran_order': False, 'shape': (2, ",
    "an open string": "{'descr': '<f4",
    "two lines": "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n  x",
    "long integers of Python 2": "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }",
    "digits that are not ASCII": "{'descr': '<f4', 'fortran_order': False, 'shape': (٢,), }",
    "nothing": "",
    "NUL": "{'descr': '<f4', 'fortran_order': False, \0",
}


def refused_without_allocating(data, tmp_path, name):
    path = tmp_path / "crafted.npz"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(errors.CheckpointError, match=NOT_ONE) as error:
            checkpoints.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MIB
    assert name in str(error.value)
    is_one_line(str(error.value))


@pytest.mark.parametrize("name", ["head.b", "__meta__"])
@pytest.mark.parametrize("what", HEADERS)
def test_row_18_a_header_that_is_not_the_one_expected_allocates_nothing(what, name, whole, tmp_path):
    data = craft(whole, replace={f"{name}.npy": header(HEADERS[what])})
    refused_without_allocating(data, tmp_path, name)


# --- row 19: headers that take long ---

PROLIX = {
    "of 4 GiB, in version 2": b"\x93NUMPY\2\0\xff\xff\xff\xff" + b"{'descr': '<f4'",
    "of 4 GiB, in version 3": b"\x93NUMPY\3\0\xff\xff\xff\xff" + b"{'descr': '<f4'",
    "of 9,000 signs": b"\x93NUMPY\1\0" + struct.pack("<H", 9001) + b"-" * 9000 + b"1",
    "of 900 signs": header("-" * 900 + "1"),
    "of 60,000 brackets": b"\x93NUMPY\1\0" + struct.pack("<H", 60_000) + b"(" * 30_000 + b")" * 30_000,
    "of 900 brackets": header("(" * 450 + ")" * 450),
    "of 65,535 bytes that are not there": b"\x93NUMPY\1\0\xff\xff",
    "of a version to come": b"\x93NUMPY\4\0\0\0\0\0",
    "of many axes": header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1, " * 280 + "1), }"),
}


@pytest.mark.parametrize("name", ["head.b", "__meta__"])
@pytest.mark.parametrize("what", PROLIX)
def test_row_19_a_header_without_end_is_not_read(what, name, whole, tmp_path):
    begun = time.process_time()
    refused_without_allocating(craft(whole, replace={f"{name}.npy": PROLIX[what]}), tmp_path, name)
    assert time.process_time() - begun < 2


# --- row 20: what is whole takes no more than it needs ---


def test_row_20_what_is_whole_takes_little_more_memory_than_its_file_has_bytes(tmp_path):
    run = small_run(**{"model.hidden_size": 150})
    checkpoints.save(run, tmp_path / "c.npz")
    size = (tmp_path / "c.npz").stat().st_size
    assert size > MIB
    tracemalloc.start()
    try:
        checkpoints.load(tmp_path / "c.npz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * size


def test_row_20_the_largest_meta_that_a_run_can_write_can_be_read(tmp_path):
    """Of as many characters as may be, the longest in JSON, and of as many arrays."""
    most = {
        "model.cell": "lstm_fgr",
        "model.num_layers": 64,
        "model.initial_state": "learned",
        "model.layer_norm": True,
    }
    config = small_run(**{**most, "model.hidden_size": 1}).config
    everything = "".join(map(chr, range(0x10FFFF - MOST_SYMBOLS, 0x10FFFF)))
    run = Run.new(config, LanguageModel(Vocabulary(everything)), Corpus("🦊" * 255, 1 << 60, "0" * 64))
    run.losses = [0.1 + 0.2] * 1000
    checkpoints.save(run, tmp_path / "c.npz")
    assert same(checkpoints.load(tmp_path / "c.npz"), run)


# --- row 21: a meta that is odd ---


def raw(text):
    return {"replace": {"__meta__.npy": json_npy(text)}}


def twice(whole, key):
    """A meta with a key that comes twice, with the same value."""
    meta = json.dumps(meta_of(whole))
    start = meta.index(f'"{key}": ')
    value, _ = json.JSONDecoder().raw_decode(meta[start + len(key) + 4 :])
    return raw((meta[:start] + json.dumps({key: value})[1:-1] + ", " + meta[start:]).encode())


ODD = {
    "no JSON": (raw(b"{"), NOT_ONE),
    "nothing": (raw(b""), NOT_ONE),
    "not UTF-8": (raw(b"\xff\xfe\xfd"), NOT_ONE),
    "two of them": (raw(b"{}{}"), NOT_ONE),
    "no object": (raw(b"[1]"), "was not written by charrnn"),
    "an empty object": (raw(b"{}"), "was not written by charrnn"),
    "null": (raw(b"null"), "was not written by charrnn"),
    "a number of 9,000 digits": (raw(b"9" * 9000), NOT_ONE),
    "numbers of two bytes": ({"replace": {"__meta__.npy": npy(np.ones(5, np.uint16))}}, "__meta__ is not a text"),
    "two axes": ({"replace": {"__meta__.npy": npy(np.ones((5, 5), np.uint8))}}, "__meta__ is not a text"),
    "no meta": ({"without": ["__meta__.npy"]}, "has no __meta__"),
    "another program's": ({"change": put("format", "keras")}, "was not written by charrnn"),
    "a list around it": ({"change": lambda meta: [meta]}, "was not written by charrnn"),
    "no version": ({"change": lambda meta: meta.pop("version") and None}, NOT_ONE),
    "a version that is a word": ({"change": put("version", "2")}, NOT_ONE),
    "a version that is true": ({"change": put("version", True)}, NOT_ONE),
    "a version before all": ({"change": put("version", 0)}, NOT_ONE),
    "another cell": ({"change": put("config.model.cell", "gru")}, "its members do not fit its configuration"),
    "another optimizer": ({"change": put("config.optim.name", "sgd")}, "its members do not fit its configuration"),
    "another dtype": ({"change": put("config.train.dtype", "float64")}, NOT_ONE),
    "an unknown key": ({"change": put("config.model.depth", 3)}, "unknown key 'model.depth'"),
    "an unknown section": ({"change": put("config.modell", {})}, "unknown section 'modell'"),
    "a wrong value": ({"change": put("config.model.hidden_size", -1)}, "model.hidden_size is -1"),
    "a config that is none": ({"change": put("config", 3)}, "not a mapping of mappings"),
    "a section that is none": ({"change": put("config.model", 3)}, "not a mapping of mappings"),
    "no seed": ({"change": put("config.train.seed", None)}, "no seed"),
    "a learning rate beyond floats": ({"change": put("config.optim.learning_rate", 10**400)}, NOT_ONE),
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
        NOT_ONE,
    ),
    "half a character": (
        {"change": lambda m: put("vocabulary.symbols", m["vocabulary"]["symbols"][:-1] + "\udcff")(m)},
        "lone surrogates",
    ),
    "an encoding that is none": ({"change": put("vocabulary.encoding", 5)}, NOT_ONE),
    "an encoding that the config does not have": ({"change": put("vocabulary.encoding", "bytes")}, NOT_ONE),
    "an entry unknown": ({"change": put("vocabulary.order", "x")}, NOT_ONE),
    "a corpus that is none": ({"change": put("corpus", [])}, NOT_ONE),
    "a corpus whose size is a word": ({"change": put("corpus.size", "big")}, NOT_ONE),
    "an iteration below nothing": ({"change": put("iteration", -1)}, "a count is not a whole number"),
    "an iteration and a half": ({"change": put("iteration", 1.5)}, "a count is not a whole number"),
    "an iteration that is true": ({"change": put("iteration", True)}, "a count is not a whole number"),
    "an iteration that no run reaches": ({"change": put("iteration", 10**400)}, "a count is not a whole number"),
    "rollbacks without end": ({"change": put("rollbacks", 10**400)}, "a count is not a whole number"),
    "a loss that is no number": ({"change": put("best", float("nan"))}, "__meta__ has NaN for a number"),
    "a loss beyond numbers": ({"change": put("best", 10**400)}, NOT_ONE),
    "a loss that is a word": ({"change": put("scores", {"nats": "low"})}, "a loss is not a number"),
    "an endless time": ({"change": put("elapsed", float("inf"))}, "__meta__ has Infinity for a number"),
    "an endless time the other way": ({"change": put("elapsed", float("-inf"))}, "has -Infinity for a number"),
    "NaN where nobody looks": ({"change": put("rng.has_uint32", float("nan"))}, "has NaN for a number"),
    "losses that are none": ({"change": put("losses", 5)}, NOT_ONE),
    "losses with a word": ({"change": put("losses", [1.5, "x"])}, "a loss is not a number"),
    "no random state": ({"change": put("rng", {})}, NOT_ONE),
    "another generator's state": ({"change": put("rng.bit_generator", "MT19937")}, NOT_ONE),
    "a random state of words": ({"change": put("rng.state.state", "x")}, NOT_ONE),
    "a random state below nothing": ({"change": put("rng.state.inc", -1)}, NOT_ONE),
    "a random state too large": ({"change": put("rng.state.state", 1 << 200)}, NOT_ONE),
    "an environment in a list": ({"change": put("environment", ["1"])}, NOT_ONE),
    "no list of arrays": ({"change": put("arrays", {})}, NOT_ONE),
    "arrays that are none": ({"change": put("arrays", 5)}, NOT_ONE),
    "another sha256": (
        {"change": lambda m: m["arrays"]["head.b"].__setitem__(2, "0" * 64)},
        "sha256 of head.b differs",
    ),
    "another shape in the list": (
        {"change": lambda m: m["arrays"]["head.b"].__setitem__(1, [4])},
        "sha256 of head.b differs",
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_row_21_a_meta_that_is_odd_is_refused(what, whole, tmp_path):
    how, message = ODD[what]
    refused(craft(whole, **how), tmp_path, message)


@pytest.mark.parametrize("key", ["iteration", "config", "hidden_size", "symbols", "bit_generator", "head.b", "format"])
def test_row_21_a_key_that_comes_twice_is_refused_even_with_the_same_value(key, whole, tmp_path):
    refused(craft(whole, **twice(whole, key)), tmp_path, f"its __meta__ has the key '{key}' twice")


@pytest.mark.parametrize("number", [0, 1, -1, 10])
def test_row_21_a_meta_with_another_length_in_its_header_is_refused(number, whole, tmp_path):
    """Though JSON would not mind white space behind it."""
    content = members_of(whole)["__meta__.npy"]
    shape = b"(%d,)" % (len(content) - 128)
    changed = content.replace(shape, b"(%d,)" % (len(content) - 128 + number)) + b" " * max(0, -number)
    data = craft(whole, replace={"__meta__.npy": changed})
    if number:
        refused(data, tmp_path, NOT_ONE)
    else:
        load_bytes(data, tmp_path / "c.npz")


def test_row_21_a_meta_in_another_encoding_is_refused(whole, tmp_path):
    text = json.dumps(meta_of(whole))
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        refused(craft(whole, **raw(text.encode(encoding))), tmp_path, NOT_ONE)
    load_bytes(craft(whole, **raw(text.encode())), tmp_path / "c.npz")


EVIL = "\x1b[2J\r\n\N{RIGHT-TO-LEFT OVERRIDE}" + "x" * 9000


@pytest.mark.parametrize(("where", "value"), [("config.model.", 1), ("config.", {}), ("vocabulary.", "x")])
def test_row_21_a_message_shows_the_keys_of_a_file_escaped_and_shortened(where, value, whole, tmp_path):
    refused(craft(whole, put(where + EVIL, value)), tmp_path, NOT_ONE)


@pytest.mark.parametrize("path", ["config.model.cell", "config.data.encoding", "config.train.time_budget", "format"])
def test_row_21_a_message_shows_the_values_of_a_file_escaped_and_shortened(path, whole, tmp_path):
    refused(craft(whole, put(path, EVIL)), tmp_path, NOT_ONE)


def test_row_21_corpus_and_writer_have_names_of_text_whatever_the_file_has(whole, tmp_path):
    crafted = {"corpus.name": 5, "corpus.sha256": [1], "environment": {"charrnn": 7}}
    back = load_bytes(craft(whole, lambda meta: [put(k, v)(meta) for k, v in crafted.items()] and None), tmp_path / "c")
    assert all(type(value) is str for value in (back.corpus.name, back.corpus.sha256, back.environment["charrnn"]))


def test_row_21_info_shows_the_words_of_a_file_in_as_many_lines_as_ever(charrnn, whole, tmp_path):
    crafted = {"corpus.name": EVIL, "corpus.sha256": EVIL, "environment": {"charrnn": EVIL, EVIL: "1"}}
    data = craft(whole, lambda meta: [put(k, v)(meta) for k, v in crafted.items()] and None)
    shown = []
    for name, content in {"whole.npz": whole, "odd.npz": data}.items():
        (tmp_path / name).write_bytes(content)
        shown.append(charrnn("info", name).ok().text)
    assert len(shown[0].splitlines()) == len(shown[1].splitlines())
    assert "xxxx" in shown[1]
    assert "\x1b" not in shown[1]


@pytest.mark.parametrize("count", [-1, -5, -(1 << 63), 6, (1 << 63) - 1])
def test_row_21_fewer_updates_than_none_or_more_than_of_the_run_are_refused(count, whole, tmp_path):
    """The fifth root of minus one is none, and 1 / (1 - beta ** 0) neither."""
    content = npy(np.array([count]))
    refused(craft(whole, replace={"optim.count.npy": content}), tmp_path, "optim.count")


# --- row 22: numbers that are none ---


def spoiled(whole, name, value):
    """The checkpoint with one number of an array replaced, and its sums made right."""
    array = np.load(io.BytesIO(whole))[name]
    array.flat[1] = value
    return craft(whole, replace={f"{name}.npy": npy(array)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_row_22_a_number_that_is_not_finite_is_refused_with_its_arrays_name(value, whole, tmp_path):
    for name in names(whole):
        if name != "optim.count":
            assert name in refused(spoiled(whole, name, value), tmp_path, "holds numbers that are not finite")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("command", ["sample", "eval", "info", "gradcheck", "train"])
def test_row_22_a_model_that_is_not_finite_is_refused_by_every_command(
    charrnn, finished, text, tmp_path, command, value
):
    (tmp_path / "odd.npz").write_bytes(spoiled((finished / "last.npz").read_bytes(), "layers.0.W", value))
    words = {"eval": ["odd.npz", text], "train": [text, "--init-from", "odd.npz"]}.get(command, ["odd.npz"])
    charrnn(command, *words).fails(4, "odd.npz", "layers.0.W holds numbers that are not finite")


def test_row_22_a_run_goes_on_from_the_checkpoint_before_one_not_finite(charrnn, finished, run):
    (run / "last.npz").write_bytes(spoiled((run / "last.npz").read_bytes(), "head.W", np.nan))
    said = charrnn("train", "-o", "run", "--resume").ok().err
    assert "head.W holds numbers that are not finite" in next(line for line in said.splitlines() if "passed" in line)
    assert (run / "last.npz").read_bytes() == (finished / "last.npz").read_bytes()


def test_row_22_a_run_without_a_finite_checkpoint_is_not_resumed(charrnn, run):
    for name in ("last.npz", "prev.npz"):
        (run / name).write_bytes(spoiled((run / name).read_bytes(), "head.W", np.nan))
    charrnn("train", "-o", "run", "--resume").fails(4, "last.npz", "prev.npz", "not finite", lines=2)


def test_row_22_there_is_no_option_to_take_it_nevertheless(charrnn):
    for command in ("train", "sample", "eval"):
        charrnn(command, "x.npz", "--allow-nonfinite").fails(2, "--allow-nonfinite")


# --- row 23: the future ---


def of_the_future(data, **more):
    def change(meta):
        meta["version"] = checkpoints.VERSION + 1
        meta["environment"] = {**meta["environment"], "charrnn": "9.9"}
        meta |= more

    return craft(data, change)


@pytest.mark.parametrize("more", [{}, {"config": "of another kind"}, {"vocabulary": None, "rng": [], "arrays": 0}])
def test_row_23_a_file_of_a_later_version_says_who_wrote_it_and_what_to_do(more, whole, tmp_path):
    message = refused(of_the_future(whole, **more), tmp_path, f"has format version {checkpoints.VERSION + 1}")
    assert "written by charrnn 9.9" in message
    assert f"this charrnn {charrnn.__version__} reads versions 1 to {checkpoints.VERSION}" in message
    assert message.endswith("update charrnn")
    assert "damaged" not in message


@pytest.mark.parametrize("command", ["sample", "eval", "info", "gradcheck", "train"])
def test_row_23_a_file_of_a_later_version_is_refused_by_every_command(charrnn, finished, text, tmp_path, command):
    (tmp_path / "odd.npz").write_bytes(of_the_future((finished / "last.npz").read_bytes()))
    words = {"eval": ["odd.npz", text], "train": [text, "--init-from", "odd.npz"]}.get(command, ["odd.npz"])
    charrnn(command, *words).fails(4, "odd.npz", "written by charrnn 9.9", "update charrnn")


def test_row_23_a_run_of_a_later_version_is_left_alone(charrnn, run):
    for name in ("last.npz", "prev.npz"):
        (run / name).write_bytes(of_the_future((run / name).read_bytes()))
    before = {path.name: path.read_bytes() for path in run.glob("*.npz")}
    result = charrnn("train", "-o", "run", "--resume")
    result.fails(4, "written by charrnn 9.9", "update charrnn", lines=len(result.err.splitlines()))
    assert {path.name: path.read_bytes() for path in run.glob("*.npz")} == before


@pytest.mark.parametrize("writer", [{"charrnn": EVIL}, {}, None])
def test_row_23_a_file_of_a_later_version_may_say_of_its_writer_what_it_will(writer, whole, tmp_path):
    refused(of_the_future(whole, environment=writer), tmp_path, "crafted.npz")


# --- row 24: the past ---

GOLDEN = [(version, name) for version in range(1, checkpoints.VERSION + 1) for name in make_golden.RUNS]


def golden(version, name):
    folder = make_golden.FOLDER / f"version-{version}"
    return folder / f"{name}.npz", json.loads((folder / "samples.json").read_text("utf-8"))[name]


@pytest.mark.parametrize(("version", "name"), GOLDEN)
def test_row_24_a_file_of_every_version_there_was_writes_the_same_text(version, name):
    path, samples = golden(version, name)
    assert meta_of(path.read_bytes())["version"] == version
    run = charrnn.load(path)
    assert run.iteration == 400
    assert "".join(charrnn.sample(run, "The ", 80, temperature=0)) == samples["likeliest"]
    assert "".join(charrnn.sample(run, "The ", 80, seed=7)) == samples["drawn"]


@pytest.mark.parametrize(("version", "name"), GOLDEN)
def test_row_24_a_file_of_every_version_there_was_can_be_trained_on(version, name):
    run = charrnn.load(golden(version, name)[0])
    text = decode([make_golden.TEXT.encode()], "a text", "utf-8")
    assert (run.corpus.size, run.corpus.sha256) == (text.size, text.sha256)
    run.config = dataclasses.replace(run.config, optim=dataclasses.replace(run.config.optim, schedule="constant"))
    split = split_of(run.task, run.config, text)
    updates = list(loop.updates(run, split.train, alone(run), lambda: (run.iteration - 400) / 5))
    assert len(updates) == 5
    assert all(update.nats < 1 for update in updates)


@pytest.mark.parametrize(("version", "name"), GOLDEN)
def test_row_24_a_file_of_every_version_there_was_becomes_one_of_today(version, name, tmp_path):
    run = charrnn.load(golden(version, name)[0])
    back = load_bytes(checkpoints.to_bytes(run), tmp_path / "c.npz")
    assert same(back, run)
    assert back.iteration == 400


@pytest.mark.anywhere
def test_row_24_a_file_of_the_version_of_today_is_written_to_the_same_bytes():
    for name in make_golden.RUNS:
        path, _ = golden(checkpoints.VERSION, name)
        assert checkpoints.to_bytes(charrnn.load(path)) == path.read_bytes()


@pytest.mark.parametrize(("version", "name"), [case for case in GOLDEN if case[0] <= 2])
def test_row_24_keys_that_came_later_mean_what_was_there_before(version, name):
    path, _ = golden(version, name)
    written, optim = meta_of(path.read_bytes())["config"]["optim"], charrnn.load(path).config.optim
    assert not {"average", "patience"} & written.keys()
    assert (optim.average, optim.patience, optim.weight_decay) == (None, 5, 0.0)
    assert written.items() <= vars(optim).items()


def test_row_24_no_version_is_without_its_files():
    folders = sorted(path.name for path in make_golden.FOLDER.iterdir())
    assert folders == sorted(f"version-{version}" for version in range(1, checkpoints.VERSION + 1))
    for folder in make_golden.FOLDER.iterdir():
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            [*(f"{n}.npz" for n in make_golden.RUNS), "samples.json"]
        )


# --- row 25: archives that are odd ---


def set_flag(whole, name, bit):
    flags = struct.pack("<H", 1 << bit)
    return overwrite(whole, name, local={6: flags}, central={8: flags})


@pytest.mark.parametrize("name", ["head.b.npy", "__meta__.npy"])
def test_row_25_a_member_that_says_it_is_encrypted_is_refused(charrnn, whole, tmp_path, name):
    (tmp_path / "odd.npz").write_bytes(set_flag(whole, name, 0))
    charrnn("sample", "odd.npz").fails(4, f"its member '{name}' is compressed or encrypted")


@pytest.mark.parametrize("bit", range(16))
def test_row_25_a_member_of_whatever_flags_is_refused_or_the_same(bit, small, whole, tmp_path):
    for name in ("head.b.npy", "__meta__.npy"):
        try:
            back = load_bytes(set_flag(whole, name, bit), tmp_path / "odd.npz")
        except errors.CheckpointError:
            continue
        assert same(back, small)


@pytest.mark.parametrize("method", [*range(1, 21), 93, 94, 95, 96, 97, 98, 99, 65535])
def test_row_25_a_compression_of_whatever_kind_is_refused(method, whole, tmp_path):
    kind = struct.pack("<H", method)
    for name in ("head.b.npy", "__meta__.npy"):
        data = overwrite(whole, name, local={8: kind}, central={10: kind})
        refused(data, tmp_path, f"its member '{name}' is compressed or encrypted")


def test_row_25_a_large_archive_of_zip64_is_the_same(small, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(zip_format, "LARGEST", 100)
    large = checkpoints.to_bytes(small)
    assert large[-98:-94] == b"PK\6\6"
    assert same(load_bytes(large, tmp_path / "c.npz"), small)
    for length in range(len(large) - 120, len(large)):
        refused(large[:length], tmp_path, NOT_ONE)
    for place in (-50, -58, -34):  # where the list begins, its length, where the record is that says so
        for value in (0, 1, len(large), 1 << 31, (1 << 63) - 1, (1 << 64) - 1):
            changed = bytearray(large)
            changed[len(large) + place : len(large) + place + 8] = struct.pack("<Q", value)
            refused(changed, tmp_path, NOT_ONE)


def test_row_25_no_bit_of_the_end_of_a_large_archive_flips_silently(small, tmp_path, monkeypatch):
    monkeypatch.setattr(zip_format, "LARGEST", 100)
    large = checkpoints.to_bytes(small)
    for bit in range((len(large) - 98) * 8, len(large) * 8):
        changed = bytearray(large)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            assert same(load_bytes(changed, tmp_path / "c.npz"), small)
        except errors.CheckpointError:
            continue


JUNK = {"a byte": b"\0", "a line": b"\n", "a page": bytes(4096), "a text": b"#!/bin/sh\nexit 1\n", "zip": b"PK\5\6" * 9}


@pytest.mark.parametrize("kind", JUNK)
def test_row_25_junk_before_or_behind_the_archive_is_refused(kind, whole, tmp_path):
    refused(JUNK[kind] + whole, tmp_path, "more before or behind its archive")
    refused(whole + JUNK[kind], tmp_path, "not a zip archive, or not a whole one")


def test_row_25_of_two_checkpoints_in_one_file_none_is_taken(whole, tmp_path):
    refused(whole + whole, tmp_path, "more before or behind its archive")


def test_row_25_a_comment_behind_the_archive_is_refused(whole, tmp_path):
    buffer = io.BytesIO(whole)
    with zipfile.ZipFile(buffer, "a") as forged:
        forged.comment = b"all is well"
    for data in (buffer.getvalue(), whole[:-2] + b"\5\0"):
        refused(data, tmp_path, "not a zip archive, or not a whole one")


def test_row_25_junk_within_the_archive_changes_nothing(small, whole, tmp_path):
    """Between the members, where no list points: it is the same for every reader."""
    (directory,) = struct.unpack("<I", whole[-6:-2])
    data = whole[:directory] + b"junk" + whole[directory:-6] + struct.pack("<I", directory + 4) + b"\0\0"
    assert same(load_bytes(data, tmp_path / "c.npz"), small)


ESCAPES = ["../evil.npy", "../../evil.txt", "/evil.npy", "C:\\evil.npy", "a/../../evil.npy", "folder/", EVIL]


@pytest.mark.parametrize("name", ESCAPES)
def test_row_25_a_name_outside_is_refused_and_nothing_is_written(charrnn, whole, tmp_path, name):
    inner = tmp_path / "in" / "ner"
    inner.mkdir(parents=True)
    (inner / "odd.npz").write_bytes(craft(whole, add=[(name, npy(np.ones(2)))]))
    before = sorted(tmp_path.rglob("*"))
    for command in ("info", "sample"):
        result = charrnn(command, inner / "odd.npz").fails(4, "its members do not fit its configuration")
        is_one_line(result.err[:-1])
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/evil.npy").exists()


@pytest.mark.parametrize("other", ["head.W.npy", "../evil", "", None])
def test_row_25_a_name_that_another_field_replaces_is_refused_or_passed_over(process, whole, tmp_path, other):
    """Later Pythons read it there, and warn of one that is empty."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as forged:
        for name, content in members_of(whole).items():
            info = zipfile.ZipInfo(name)
            if name == "head.b.npy" and other is not None:
                field = struct.pack("<BL", 1, zlib.crc32(name.encode())) + other.encode()
                info.extra = struct.pack("<HH", 0x7075, len(field)) + field
            forged.writestr(info, content)
    shown = []
    for data in (whole, buffer.getvalue()):
        (tmp_path / "odd.npz").write_bytes(data)
        shown.append(process("info", "odd.npz"))
    if shown[1].code:
        shown[1].fails(4, NOT_ONE)
    else:
        assert shown[1] == shown[0]
    assert shown[0].ok().err == ""
