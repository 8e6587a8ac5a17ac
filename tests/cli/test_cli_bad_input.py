"""Texts and checkpoints that are not what they should be: one line, the right exit code, nothing left behind."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest


@pytest.fixture
def refuses(train, tmp_path):
    """Asserts that training on these bytes fails, and leaves no run behind."""

    def check(data, code, *parts, words=()):
        (tmp_path / "bad.txt").write_bytes(data)
        result = train(*words, source="bad.txt").fails(code, *parts)
        assert not (tmp_path / "runs").exists()
        return result

    return check


def test_an_empty_text_is_refused(refuses, train):
    refuses(b"", 3, "bad.txt is empty")
    train(source="-", stdin=b"").fails(3, "standard input is empty")


def test_a_text_that_is_not_there_is_answered_with_the_nearest_corpus(train):
    train(source="harbor").fails(3, "harbor", "'harbour'")
    train(source="nowhere.txt").fails(3, "nowhere.txt", "charrnn corpus list")


def test_a_directory_is_no_text(train, tmp_path):
    (tmp_path / "texts").mkdir()
    train(source="texts").fails(3, "texts is a directory")


def test_a_file_below_a_file_is_no_text(train, text):
    train(source=text / "below.txt").fails(3, "below.txt")


def test_a_text_in_another_encoding_is_refused_with_the_offset_of_the_first_wrong_byte(refuses):
    data = b"line one\nline two, caf\xe9\n" * 100
    refuses(data, 3, "not utf-8", "0xe9", f"offset {data.index(0xE9)} ", "line 2", "data.encoding=bytes")


@pytest.mark.parametrize("encoding", ["bytes", "latin-1"])
def test_what_that_error_advises_works(train, tmp_path, encoding):
    (tmp_path / "latin.txt").write_bytes(b"line one\nline two, caf\xe9\n" * 100)
    train("--set", f"data.encoding={encoding}", source="latin.txt").ok()


def test_a_text_cut_within_a_character_is_refused(refuses):
    refuses(("a" * 5000 + "é").encode()[:-1], 3, "offset 5000 ")


@pytest.mark.parametrize("n", [2, 3, 20, 400, 2000])
@pytest.mark.parametrize("split_by", ["tail", "columns"])
def test_a_text_that_is_too_short_says_what_is_needed_and_following_the_advice_trains(charrnn, tmp_path, n, split_by):
    (tmp_path / "short.txt").write_text(("ab c" * n)[:n])
    sets = ["--set", "model.hidden_size=4", "--set", "train.epochs=1", "--set", f"data.split_by={split_by}"]
    first = charrnn("train", "short.txt", "-q", *sets)
    first.fails(3, "too short", "needs", "batch_size 32", "seq_length 64")
    for _ in range(4):
        result = charrnn("train", "short.txt", "-q", *sets)
        if result.code == 0:
            return
        result.fails(3, "too short")
        advice = re.findall(r"--set \S+?(?= |$)", result.err)
        assert advice
        sets += [word for option in advice for word in option.split()]
    pytest.fail(f"four times as advised ({sets}), and yet {result.err}")


def test_needed_and_found_are_the_true_numbers(train, tmp_path):
    words = ["--set", "data.split=[1,0,0]"]
    (tmp_path / "short.txt").write_text("abcd" * 8)
    train(*words, source="short.txt").fails(3, "32 characters", "needs 33")
    (tmp_path / "short.txt").write_text("abcd" * 8 + "a")
    train(*words, source="short.txt").ok()


@pytest.mark.parametrize("data", [b"a", b"a" * 5000, "é".encode() * 5000])
def test_a_text_of_one_symbol_teaches_nothing(refuses, data):
    refuses(data, 3, "one distinct character")


@pytest.mark.parametrize(
    "words",
    [["--seed", "one"], ["--seed", "-1"], ["--time-budget", "soon"], ["--time-budget", "0"], ["--time-budget", "-5s"]],
    ids=" ".join,
)
def test_flags_of_train_that_mean_nothing_are_usage_errors(refuses, words):
    refuses(b"abc" * 1000, 2, words[0], words[1], words=words)


def test_a_name_with_line_breaks_still_makes_one_line(train):
    train(source="a\nb\r\nc").fails(3)


def test_a_name_that_no_file_can_have_is_refused(train):
    train(source="a\0b").fails(3)
    train(source="x" * 5000).fails(3)


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
