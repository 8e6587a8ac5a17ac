"""Checkpoints and what a vandal, or a forger who knows the format, makes of them."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.errors import CheckpointError, one_line
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.run import Run
from charrnn.text.encoding import decode
from charrnn.training import loop
from charrnn.training.gradients import alone
from charrnn.training.preparing import prepare

TEXT = decode(["a naïve café, a façade; no cliché\n".encode() * 9], "a text", "utf-8")


def small_run(**changes):
    """A run after five updates, of two units if not told otherwise."""
    small = {"model.hidden_size": 2, "train.batch_size": 2, "train.seq_length": 5, "train.seed": 3}
    small |= {"data.split": [1, 0, 0]} | changes
    config, _ = resolve([Setting(key, value, "test") for key, value in small.items()])
    run, split, _ = prepare(config, TEXT)
    updates = loop.updates(run, split.train, alone(run), lambda: run.iteration / 5)
    assert len(list(updates)) == 5
    return run


@pytest.fixture(scope="module")
def small():
    return small_run()


@pytest.fixture(scope="module")
def whole(small):
    """The bytes of a small checkpoint."""
    return checkpoints.to_bytes(small)


def load_bytes(data, path):
    path.write_bytes(data)
    return checkpoints.load(path)


def refused(data, tmp_path, message):
    """What is said of a file of these bytes: one line, which begins with its name and has `message`."""
    path = tmp_path / "crafted.npz"
    with pytest.raises(CheckpointError, match=message) as error:
        load_bytes(data, path)
    assert str(error.value).startswith(str(path))
    is_one_line(str(error.value))
    return str(error.value)


def is_one_line(message):
    """Whatever words of a file it may quote."""
    assert one_line(message) == message
    assert len(message) < 700


def same(a: Run, b: Run):
    return checkpoints.to_bytes(a) == checkpoints.to_bytes(b)


# --- the parts of a file ---


def members_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def meta_of(data):
    return json.loads(np.load(io.BytesIO(members_of(data)["__meta__.npy"])).tobytes())


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def json_npy(text):
    """A `__meta__` of these bytes."""
    return npy(np.frombuffer(text, np.uint8))


def header(text):
    """A .npy file with this header and no data."""
    encoded = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded


def zipped(members, compress=(), how=zipfile.ZIP_DEFLATED):
    """An archive of pairs of name and content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content, how if name in compress else zipfile.ZIP_STORED)
    return buffer.getvalue()


# --- forgeries ---


def craft(data, change=lambda meta: None, replace=(), add=(), without=(), **how):
    """The checkpoint `data` again, its meta changed, members replaced, added or left out; all sums are right."""
    members = {k: v for k, v in members_of(data).items() if k not in without} | dict(replace)
    if "__meta__.npy" in members and "__meta__.npy" not in dict(replace):
        meta = meta_of(data)
        for name, content in dict(replace).items():
            if content[:6] == b"\x93NUMPY":
                meta["arrays"][name.removesuffix(".npy")][2] = hashlib.sha256(content[128:]).hexdigest()
        meta = change(meta) or meta
        members["__meta__.npy"] = json_npy(json.dumps(meta).encode())
    return zipped([*members.items(), *add], **how)


def put(path, value):
    """A change that sets one key, named by a dotted path."""

    def change(meta):
        *parents, last = path.split(".")
        inner = meta
        for parent in parents:
            inner = inner[parent]
        inner[last] = value

    return change


def headers(data):
    """By member, where in the archive `data` its two headers begin: before it, and in the list of all."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found, place = {}, archive.start_dir
        for info in archive.infolist():
            found[info.filename] = info.header_offset, place
            place += 46 + len(info.orig_filename.encode()) + len(info.extra) + len(info.comment)
    return found


def overwrite(data, name, local=(), central=()):
    """The archive `data`, other bytes at these places of a member's two headers."""
    changed = bytearray(data)
    for start, values in zip(headers(data)[name], (local, central), strict=True):
        for place, value in dict(values).items():
            changed[start + place : start + place + len(value)] = value
    return bytes(changed)
