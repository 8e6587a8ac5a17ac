"""Files are whole or not there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from charrnn.cli.common import refuse_to_overwrite
from charrnn.errors import OutputError
from charrnn.files import as_output_error, keeps_nothing, write_atomically


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, b"one")
    assert path.read_bytes() == b"one"
    write_atomically(path, b"twice")
    assert path.read_bytes() == b"twice"
    assert os.listdir(tmp_path) == ["f"]


def test_a_reader_of_the_old_file_keeps_the_old_file(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, b"old")
    with open(path, "rb") as reader:
        write_atomically(path, b"new and longer")
        assert reader.read() == b"old"


@pytest.mark.anywhere
def test_a_file_has_the_permissions_of_any_other(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "f", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


FULL = """
    import resource, sys
    from pathlib import Path
    from charrnn.errors import CharrnnError
    from charrnn.files import write_atomically
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        write_atomically(Path(sys.argv[1]), b"new" * 1000)
    except CharrnnError as error:
        print(error)
        sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("old", [None, b"old"])
def test_with_no_room_the_old_file_stays_and_no_temporary_one(old, tmp_path):
    path = tmp_path / "f"
    if old is not None:
        path.write_bytes(old)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (6, "")
    assert done.stdout == f"cannot write {path}: File too large (the limit is 1 KiB: ulimit -f); raise that\n"
    assert os.listdir(tmp_path) == ([] if old is None else ["f"])
    if old is not None:
        assert path.read_bytes() == old


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_whatever_fails_before_the_rename_leaves_all_as_it_was(call, error, tmp_path, monkeypatch):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, lambda *a: (_ for _ in ()).throw(error))
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["f"]
    assert path.read_bytes() == b"old"


def test_a_disk_that_lies_is_noticed_before_the_rename(tmp_path, monkeypatch):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    real = os.fsync

    def torn(handle):
        os.ftruncate(handle, 2)
        real(handle)

    monkeypatch.setattr(os, "fsync", torn)
    with pytest.raises(OutputError, match="differs from what was written"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert (os.listdir(tmp_path), path.read_bytes()) == (["f"], b"old")


def test_a_directory_that_cannot_be_synced_is_no_harm_once_the_file_is_there(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def second_fails(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", second_fails)
    write_atomically(tmp_path / "f", b"new")
    assert len(calls) == 2
    assert (tmp_path / "f").read_bytes() == b"new"


@pytest.mark.parametrize("place", ["missing/f", "file/f", "folder", "x" * 300])
def test_a_place_that_cannot_be_written_is_an_output_error_that_names_it(place, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OutputError, match=f"cannot write .*{place}"):
        write_atomically(tmp_path / place, b"x")
    assert sorted(os.listdir(tmp_path)) == before


def test_errors_of_the_operating_system_alone_become_output_errors(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*: No such file or directory"), as_output_error(tmp_path):
        (tmp_path / "missing").read_bytes()
    with pytest.raises(ZeroDivisionError), as_output_error(tmp_path):
        1 / 0  # noqa: B018


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_written_to_and_stays_what_it_is(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as reader:
        refuse_to_overwrite(path)  # which may not read it, and wait
        write_atomically(path, b"<!doctype html>")
        assert reader.stdout.read() == b"<!doctype html>"
    assert stat.S_ISFIFO(os.stat(path).st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_name_in_dev_stands_for_what_it_is_connected_with():
    assert keeps_nothing(Path("/dev/null"))
    assert keeps_nothing(Path("/dev/stdout")) == os.path.exists("/dev/stdout")
    assert not keeps_nothing(Path(__file__))
    assert not keeps_nothing(Path(__file__).parent)
