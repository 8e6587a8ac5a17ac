"""Flags and checkpoints that are not what they should be: one line, the right exit code, nothing left behind."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest


@pytest.mark.parametrize(
    "words",
    [["--seed", "one"], ["--seed", "-1"], ["--time-budget", "soon"], ["--time-budget", "0"], ["--time-budget", "-5s"]],
    ids=" ".join,
)
def test_flags_of_train_that_mean_nothing_are_usage_errors(train, tmp_path, words):
    train(*words).fails(2, words[0], words[1])
    assert not (tmp_path / "runs").exists()


NOT_CHECKPOINTS = {
    "text": lambda whole: b"Once upon a time\n" * 50,
    "empty": lambda whole: b"",
    "png": lambda whole: b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)),
    "half": lambda whole: whole[: len(whole) // 2],
    "without-its-end": lambda whole: whole[:-10],
    "a-bit-flipped": lambda whole: whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:],
    "zeros": lambda whole: bytes(len(whole)),
    "zip-magic": lambda whole: b"PK\x03\x04" + bytes(50),
}


@pytest.mark.parametrize("kind", NOT_CHECKPOINTS)
@pytest.mark.parametrize("command", ["sample", "eval", "info", "gradcheck", "train"])
def test_a_file_that_is_no_checkpoint_is_refused_by_every_command(charrnn, trained, text, tmp_path, command, kind):
    (tmp_path / "odd.npz").write_bytes(NOT_CHECKPOINTS[kind]((trained / "last.npz").read_bytes()))
    words = {"eval": ["odd.npz", text], "train": [text, "--init-from", "odd.npz"]}.get(command, ["odd.npz"])
    charrnn(command, *words).fails(4, "odd.npz", "not a charrnn checkpoint, or is damaged")
    assert not (tmp_path / "runs").exists()


def test_an_npz_that_others_wrote_is_refused(charrnn, tmp_path, rng):
    np.savez(tmp_path / "theirs.npz", W=rng.normal(size=(3, 4)))
    charrnn("sample", "theirs.npz").fails(4, "theirs.npz")
    np.savez(tmp_path / "pickled.npz", __meta__=np.array([{"format": "charrnn"}], dtype=object))
    charrnn("sample", "pickled.npz").fails(4, "pickled.npz")
    with zipfile.ZipFile(tmp_path / "notes.npz", "w") as archive:
        archive.writestr("notes.txt", "Once upon a time")
    charrnn("sample", "notes.npz").fails(4, "notes.npz")


@pytest.mark.parametrize("command", ["sample", "eval", "info", "gradcheck"])
def test_a_directory_without_a_run_is_refused(charrnn, text, tmp_path, command):
    (tmp_path / "empty").mkdir()
    charrnn(command, "empty", *[text] * (command == "eval")).fails(4, "empty holds no checkpoint")


@pytest.mark.parametrize("command", ["sample", "eval", "gradcheck"])
def test_a_checkpoint_that_is_not_there_is_named(charrnn, text, command):
    charrnn(command, "nowhere.npz", *[text] * (command == "eval")).fails(4, "nowhere.npz: no such file")


@pytest.mark.parametrize("command", ["sample", "eval", "gradcheck"])
def test_a_name_below_a_file_is_no_checkpoint(charrnn, text, command):
    charrnn(command, text / "last.npz", *[text] * (command == "eval")).fails(4, "last.npz")
