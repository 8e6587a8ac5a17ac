"""Archives are the same bytes everywhere, and others' readers read them."""

from __future__ import annotations

import io
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from charrnn.runs import archive, zip_format
from charrnn.runs.archive import open_archive
from charrnn.runs.zip_format import Member, directory, header_of, pack

TWO = (
    b"PK\x03\x04-\0\0\0\0\0\0\0!\0\x85\x11J\r\xff\xff\xff\xff\xff\xff\xff\xff\1\0\x14\0"
    b"a\1\0\x10\0\x0b\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0hello world"
    b"PK\x03\x04-\0\0\0\0\0\0\0!\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\2\0\x14\0"
    b"bc\1\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    b"PK\1\2-\3-\0\0\0\0\0\0\0!\0\x85\x11J\r\x0b\0\0\0\x0b\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x80\1\0\0\0\0a"
    b"PK\1\2-\3-\0\0\0\0\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\x80\1>\0\0\0bc"
    b"PK\5\6\0\0\0\0\2\0\2\0_\0\0\0r\0\0\0\0\0"
)
"""Of Python 3.13's zipfile, under Linux."""


@pytest.mark.anywhere
def test_an_archive_is_these_bytes_with_every_python():
    assert pack([("a", [b"hello ", b"world"]), ("bc", [])]) == TWO
    assert zipfile.ZipFile(io.BytesIO(TWO)).testzip() is None


@pytest.mark.anywhere
def test_checkpoints_that_were_written_once_are_written_again_to_the_same_bytes():
    for path in (Path(__file__).parents[1] / "golden").rglob("*.npz"):
        with zipfile.ZipFile(path) as read:
            assert pack((name, [read.read(name)]) for name in read.namelist()) == path.read_bytes()


@pytest.mark.parametrize("count", [0, 1, 300])
def test_it_is_read_by_zipfile(count):
    contents = {f"{n}.npy": bytes([n % 256]) * n for n in range(count)}
    with zipfile.ZipFile(io.BytesIO(pack((name, [content]) for name, content in contents.items()))) as read:
        assert {name: read.read(name) for name in read.namelist()} == contents
        assert read.testzip() is None
        assert {info.date_time for info in read.infolist()} <= {(1980, 1, 1, 0, 0, 0)}


def test_arrays_are_read_by_numpy(rng):
    arrays = {"w.0": rng.normal(size=(3, 4)), "empty": np.zeros((0, 2), np.float32), "one": np.array(7, np.int64)}
    arrays["turned"] = arrays["w.0"].T
    with np.load(io.BytesIO(archive.to_bytes({"format": "x"}, arrays))) as file:
        assert file.files == [archive.META, *arrays]
        for name, array in arrays.items():
            assert file[name].dtype == array.dtype
            np.testing.assert_array_equal(file[name], array)


SIZES = 3 << 30, 5 << 30, 5
"""Together 8 GiB; the second alone is more than 32 bits can say."""


@pytest.fixture
def large(tmp_path):
    """An archive with members of these sizes, whose content is a hole in the file, but for the last: it is `there`."""
    path, members = tmp_path / "large.npz", []
    with open(path, "wb") as file:
        for number, size in enumerate(SIZES):
            crc = zlib.crc32(b"there") if size == 5 else 0
            members.append(Member(f"{number}.npy", crc, size, file.tell()))
            file.write(header_of(members[-1]))
            file.seek(size, io.SEEK_CUR)
        file.seek(-5, io.SEEK_CUR)
        file.write(b"there")
        file.write(directory(members, file.tell()))
    return path


def test_sizes_and_places_beyond_4_gib_are_read_by_zipfile(large):
    with zipfile.ZipFile(large) as read:
        assert [info.file_size for info in read.infolist()] == list(SIZES)
        assert read.infolist()[2].header_offset > 8 << 30
        assert read.read("2.npy") == b"there"
        with read.open("1.npy") as member:
            assert member.read(3) == bytes(3)


def test_such_an_archive_is_found_whole_by_our_own_reader(large, monkeypatch):
    monkeypatch.setattr(archive, "META", "2")
    with open_archive(large) as opened:
        assert opened.names == ["0", "1", "2"]


class Holes(io.RawIOBase):
    """A file that keeps of each large write nothing but its size."""

    def __init__(self):
        self.place, self.kept = 0, {}

    def write(self, data):
        if len(data) < 1 << 20:
            self.kept[self.place] = bytes(data)
        self.place += len(data)
        return len(data)

    def seek(self, place, whence=io.SEEK_SET):
        assert whence == io.SEEK_SET
        self.place = place
        return place

    def tell(self):
        return self.place

    def seekable(self):
        return True

    def flush(self):
        pass


@pytest.mark.anywhere
@pytest.mark.skipif(sys.version_info < (3, 11, 4), reason="its zipfile writes other versions")
@pytest.mark.skipif(sys.platform == "win32", reason="its zipfile names another system")
def test_the_headers_of_large_members_are_those_of_zipfile():
    holes, block, members = Holes(), bytes(1 << 26), []
    with zipfile.ZipFile(holes, "w") as written:
        for number, size in enumerate((zip_format.LARGEST, zip_format.LARGEST + 1, 5)):
            crc, place = 0, holes.tell()
            with written.open(zipfile.ZipInfo(f"{number}"), "w", force_zip64=True) as member:
                for start in range(0, size, len(block)):
                    part = block[: size - start]
                    member.write(part)
                    crc = zlib.crc32(part, crc)
            members.append(Member(f"{number}", crc, size, place))
            assert holes.kept[place] == header_of(members[-1])
        end = holes.tell()
    assert b"".join(data for place, data in sorted(holes.kept.items()) if place >= end) == directory(members, end)
