"""Codes in memory and on disk are the same codes."""

from __future__ import annotations

import errno
import gc
import io
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import OutputError
from charrnn.text import codes as module
from charrnn.text.codes import Codes

DTYPES = ["uint8", "uint16", "uint32"]


@pytest.fixture(params=["in memory", "on disk", "from the one to the other"], autouse=True)
def where(request, monkeypatch):
    monkeypatch.setattr(module, "IN_MEMORY", {"in memory": 1 << 24, "on disk": 0}.get(request.param, 40))
    monkeypatch.setattr(module, "BLOCK", 7)
    return request.param


def made(pieces, folder, dtype="uint8"):
    codes = Codes(folder, dtype)
    for piece in pieces:
        codes.append(np.array(piece, dtype=np.int64))
    return codes


def everything(codes):
    return np.concatenate([np.zeros(0, codes.dtype), *codes.blocks()])


PIECES = st.lists(st.lists(st.integers(0, 255), max_size=30), max_size=8)


@given(pieces=PIECES, dtype=st.sampled_from(DTYPES), wider=st.sampled_from(DTYPES), data=st.data())
def test_what_was_appended_comes_back_in_any_part_and_in_a_wider_type_too(tmp_path_factory, pieces, dtype, wider, data):
    expected = [code for piece in pieces for code in piece]
    codes = made(pieces, tmp_path_factory.getbasetemp(), dtype)
    assert len(codes) == len(expected)
    assert everything(codes).tolist() == expected
    assert everything(codes).dtype == dtype
    start = data.draw(st.integers(0, len(expected)))
    stop = data.draw(st.integers(start, len(expected)))
    assert [code for block in codes.blocks(start, stop) for code in block.tolist()] == expected[start:stop]
    widened = codes.widened(wider)
    widened.append(np.array([3], np.int32))
    assert everything(widened).tolist() == [*expected, 3]
    assert everything(widened).dtype == wider


@given(
    count=st.integers(1, 90),
    columns=st.lists(st.integers(-50, 120), min_size=1, max_size=5),
    length=st.integers(1, 130),
    dtype=st.sampled_from(DTYPES),
)
def test_windows_are_those_of_an_array_clipped_at_its_ends(tmp_path_factory, count, columns, length, dtype):
    array = np.random.default_rng(count).integers(0, 256, count)
    codes = made(np.array_split(array, 3), tmp_path_factory.getbasetemp(), dtype)
    index = np.array(columns) + np.arange(length)[:, None]
    found = codes.take(index)
    np.testing.assert_array_equal(found, array.take(index, mode="clip"))
    assert found.dtype == dtype


def test_nothing_is_seen_in_the_folder_or_left_there(where, tmp_path):
    folder = tmp_path / "not" / "there"
    codes = made([range(50), range(50)], folder)
    assert folder.exists() == (where != "in memory")  # what fits in memory leaves no trace at all
    assert not folder.exists() or list(folder.iterdir()) == []
    assert everything(codes).tolist() == [*range(50), *range(50)]


def test_a_file_is_closed_with_its_codes(where, tmp_path, monkeypatch):
    files, real = [], tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: files.append(real(**options)) or files[-1])
    codes = made([range(50)], tmp_path)
    codes = codes.widened("uint16")
    gc.collect()
    assert [file.closed for file in files] == ([] if where == "in memory" else [True, False])
    assert everything(codes).tolist() == [*range(50)]
    del codes
    gc.collect()
    assert all(file.closed for file in files)


def test_a_disk_that_takes_little_at_a_time_gets_all(tmp_path, monkeypatch):
    class Slow(io.FileIO):
        def write(self, data):
            return super().write(data[:3])

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Slow(tmp_path / "file", "w+b"))
    assert everything(made([range(100), range(7)], tmp_path)).tolist() == [*range(100), *range(7)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_is_full_or_fails_is_an_output_error_that_names_the_folder(where, number, tmp_path, monkeypatch):
    class Failing(io.FileIO):
        def write(self, data):
            raise OSError(number, "no such luck")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Failing(tmp_path / "file", "w+b"))
    if where == "in memory":
        made([range(100)], tmp_path)
        return
    said = "No space left on device" if number == errno.ENOSPC else "no such luck"
    with pytest.raises(OutputError, match=f"cannot write {tmp_path}: {said}"):
        made([range(100)], tmp_path)


def test_a_folder_that_cannot_be_made_is_an_output_error(where, tmp_path):
    (tmp_path / "file").touch()
    if where == "in memory":
        made([range(100)], tmp_path / "file" / "folder")
        return
    with pytest.raises(OutputError, match="cannot write"):
        made([range(100)], tmp_path / "file" / "folder")


def test_a_disk_that_cannot_be_read_again_is_an_output_error(where, tmp_path, monkeypatch):
    class Lost(io.FileIO):
        def read(self, size=-1):
            raise OSError(errno.EIO, "no such luck")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Lost(tmp_path / "file", "w+b"))
    codes = made([range(100)], tmp_path)
    if where == "in memory":
        return
    with pytest.raises(OutputError, match=f"cannot read what was written in {tmp_path}: no such luck"):
        codes.take(np.zeros((1, 1), int))
