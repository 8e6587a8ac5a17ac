"""What is unpacked is what was packed, however it is read, and never more than it may be."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text import compressed
from charrnn.text.compressed import format_of, members_of, stream_of

PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def unpacked(data, kind, size=1000):
    stream = stream_of(io.BytesIO(data), "file", kind)
    return b"".join(iter(lambda: stream.read(size), b""))


@given(st.sampled_from(sorted(PACK)), st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 700))
def test_streams_one_after_another_are_one(kind, parts, size):
    packed = b"".join(map(PACK[kind], parts))
    assert format_of(packed) == kind
    assert unpacked(packed, kind, size) == b"".join(parts)


@pytest.mark.parametrize("kind", PACK)
def test_more_than_is_read_at_a_time_comes_in_full_pieces(kind):
    data = bytes(range(256)) * 5000
    stream = stream_of(io.BytesIO(PACK[kind](data)), "file", kind)
    assert [len(stream.read(1 << 20)) for _ in range(3)] == [1 << 20, len(data) - (1 << 20), 0]


@pytest.mark.parametrize("kind", PACK)
@given(data=st.data())
def test_what_is_cut_or_changed_is_damaged_or_nothing_has_happened(kind, data):
    original = b"some words, more words and some other words\n" * 20
    packed = bytearray(PACK[kind](original))
    if data.draw(st.booleans()):
        packed = packed[: data.draw(st.integers(7, len(packed) - 1))]
    else:
        packed[data.draw(st.integers(6, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert unpacked(bytes(packed), kind) == original
    except DataError as error:
        assert f"file is a damaged or incomplete {kind} file" in str(error) or "memory" in str(error)  # noqa: PT017


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_members_come_in_the_order_of_the_archive():
    packed = zipped({"b.txt": b"first", "folder/": b"", "a.txt": b"second"})
    found = [(name, opened().read(99)) for name, opened in members_of(io.BytesIO(packed), "a.zip")]
    assert found == [("b.txt", b"first"), ("a.txt", b"second")]


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_is_refused_before_it_goes_off_and_a_text_like_one_is_not(kind, monkeypatch):
    monkeypatch.setattr(compressed, "FREE", 1 << 20)
    zeros = bytes(1 << 20)
    assert unpacked(PACK[kind](zeros), kind) == zeros
    with pytest.raises(DataError, match="file unpacks to more than 250 times its size"):
        unpacked(PACK[kind](zeros * 40), kind, 1 << 16)
    monkeypatch.setattr(compressed, "MOST", 1000)
    with pytest.raises(DataError, match="file unpacks to more than 0 GiB"):
        unpacked(PACK[kind](b"0123456789" * 101), kind)


def test_all_members_together_are_bounded(monkeypatch):
    monkeypatch.setattr(compressed, "FREE", 1 << 20)
    packed = zipped({f"{k}.txt": bytes(1 << 19) for k in range(3)})
    members = [opened for _, opened in members_of(io.BytesIO(packed), "a.zip")]
    assert len(members[0]().read(1 << 20)) == len(members[1]().read(1 << 20)) == 1 << 19
    with pytest.raises(DataError, match=r"a\.zip unpacks to more than"):
        members[2]().read(1 << 20)


def test_a_directory_that_would_fill_memory_is_not_read(monkeypatch):
    packed = zipped({f"{k}.txt": b"x" for k in range(300)})
    assert len(list(members_of(io.BytesIO(packed), "a.zip"))) == 300
    monkeypatch.setattr(compressed, "MAX_DIRECTORY", 10_000)
    with pytest.raises(DataError, match=r"a\.zip has too many members"):
        list(members_of(io.BytesIO(packed), "a.zip"))


def test_xz_may_not_ask_for_more_memory_than_a_text_needs(monkeypatch):
    packed = lzma.compress(b"text", preset=6)
    monkeypatch.setattr(compressed, "XZ_MEMORY", 1 << 20)
    with pytest.raises(DataError, match="needs more memory"):
        unpacked(packed, "xz")


@pytest.mark.parametrize("kind", PACK)
def test_what_is_unpacked_is_never_whole_in_memory(kind, monkeypatch):
    monkeypatch.setattr(compressed, "RATIO", 1 << 30)
    stream = stream_of(io.BytesIO(PACK[kind](bytes(32 << 20))), "file", kind)
    tracemalloc.start()
    try:
        while stream.read(1 << 16):
            pass
        assert tracemalloc.get_traced_memory()[1] < 16 << 20  # of which xz takes half for its dictionary
    finally:
        tracemalloc.stop()
