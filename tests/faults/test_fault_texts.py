"""Texts that are not what a text should be, and what may happen to one while it is read and afterwards."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from driving import Result

from charrnn.errors import DataError
from charrnn.text import codes, sources
from charrnn.text.vocabulary import MOST_SYMBOLS, Vocabulary

linux = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="looks into /proc, which Linux has")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """What processes keep of large texts is below `tmp_path` too."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def refuses(train, tmp_path):
    """Asserts that training on these bytes fails, and leaves no run behind."""

    def check(data, code, *parts, words=()):
        (tmp_path / "bad.txt").write_bytes(data)
        result = train(*words, source="bad.txt").fails(code, *parts)
        assert not (tmp_path / "runs").exists()
        return result

    return check


@pytest.fixture
def on_disk(monkeypatch):
    """From now on, every text is too large for memory."""
    return lambda: monkeypatch.setattr(codes, "IN_MEMORY", 0)


# --- 40: bytes that are no text, or one in another encoding ---

LINES = "one\ntwo, naïve\n"
STRANGE = {
    "latin-1": (b"one\ntwo, na\xefve\n" * 100, "0xef", 11, 2, "latin-1"),
    "utf-16": (LINES.encode("utf-16-le"), "0xef", 22, 2, "utf-16-le"),
    "utf-16 with its mark": (("\ufeff" + LINES).encode("utf-16-le"), "0xff", 0, 1, "utf-16"),
    "utf-16 of the other order": (("\ufeff" + LINES).encode("utf-16-be"), "0xfe", 0, 1, "utf-16"),
    "utf-32 with its mark": (("\ufeff" + LINES).encode("utf-32-le"), "0xff", 0, 1, "utf-32"),
    "a lone surrogate": (b"one\r\ntwo \xed\xa0\x80\r\n" * 100, "0xed", 9, 2, "cp1252"),
    "a character in more bytes than it needs": (b"a\n\xc0\xaf" * 100, "0xc0", 2, 2, "cp1251"),
    "a character cut off by the end": (("a" * 5000 + "𝄞").encode()[:-1], "0xf0", 5000, 1, "latin-1"),
    "far into the file": (b"0123456789\n" * 300_000 + b"\xff", "0xff", 3_300_000, 300_001, "latin-1"),
    "no text at all": (b"\x89ABC\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)), "0x89", 0, 1, "cp1251"),
}
"""Bytes that are not UTF-8: the first that does not fit, its offset, its line, and the encoding that is proposed."""


@pytest.mark.parametrize("what", STRANGE)
def test_row_40_bytes_that_are_no_utf_8_are_refused_with_place_and_remedy(refuses, what, monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)  # what it makes of noise is its own affair
    data, byte, offset, line, proposed = STRANGE[what]
    place = f"bad.txt is not utf-8: byte {byte} at offset {offset} (line {line}); "
    refuses(data, 3, place, f"`--set data.encoding={proposed}`", ", or read bytes with --set data.encoding=bytes")


def test_row_40_the_offset_of_utf_16_is_one_that_an_editor_finds():
    data, _, offset, _, _ = STRANGE["utf-16"]
    assert data[:offset].decode("utf-16-le") == "one\ntwo, na"
    assert data[offset : offset + 2].decode("utf-16-le") == "ï"


@pytest.mark.parametrize("what", STRANGE)
def test_row_40_as_bytes_everything_can_be_learned(charrnn, train, tmp_path, what):
    """There is no option that leaves out what does not fit: `data.encoding=bytes` loses nothing."""
    data = STRANGE[what][0][-10_000:] * 20
    (tmp_path / "bad.txt").write_bytes(data)
    train("-o", "run", "--set", "data.encoding=bytes", source="bad.txt").ok()
    assert charrnn("info", "run", "--json").ok().json["symbols"].encode("latin-1") == bytes(sorted(set(data)))
    assert charrnn("eval", "run", "bad.txt", "--json").ok().json["bytes"] == len(data) - 1


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"one\ntwo, na\xefve\n", "latin-1"),
        (LINES.encode("utf-16-le"), "utf-16-le"),
        (("\ufeff" + LINES).encode("utf-16-le"), "utf-16"),
        (("\ufeff" + LINES).encode("utf-16-be"), "utf-16"),
        (("\ufeff" + LINES).encode("utf-32-le"), "utf-32"),
    ],
)
def test_row_40_in_its_own_encoding_a_text_is_itself(charrnn, train, tmp_path, data, encoding):
    mark = len(data) - len(LINES.encode(encoding.removesuffix("-le") + "-le" * encoding.startswith("utf")))
    (tmp_path / "text.txt").write_bytes(data[:mark] + data[mark:] * 60)
    train("-o", "run", "--set", f"data.encoding={encoding}", source="text.txt").ok()
    assert charrnn("info", "run", "--json").ok().json["symbols"] == "".join(sorted(set(LINES)))


def test_row_40_crlf_zeros_and_wide_characters_are_symbols_like_others(charrnn, train, tmp_path):
    written = "\ufeffa\0é€𝄞\U0010ffff\r\n" + "b\u2028\x85\x1a\r\n" * 99
    (tmp_path / "odd.txt").write_bytes(written.encode())
    train("-o", "run", "--set", "data.split=[1,0,0]", source="odd.txt").ok()
    assert charrnn("info", "run", "--json").ok().json["symbols"] == "".join(sorted(set(written[1:])))
    assert charrnn("eval", "run", "odd.txt", "--json").ok().json["chars"] == len(written) - 2


@pytest.mark.parametrize(
    ("data", "encoding", "parts"),
    [
        (b"a\0\n\0" * 50 + b"\x00\xd8" + b"b\0" * 50, "utf-16-le", ["not utf-16-le", "offset 200 (line 51)"]),
        (rb"one\ntwo \ud83d three" * 50, "unicode_escape", ["lone surrogate U+D83D in line 2"]),
    ],
)
def test_row_40_half_a_character_is_refused_in_each_encoding_that_writes_it(refuses, data, encoding, parts):
    refuses(data, 3, *parts, words=["--set", f"data.encoding={encoding}"])


# --- 41: too little ---


def test_row_41_an_empty_text_is_refused(refuses, train):
    refuses(b"", 3, "bad.txt is empty")
    refuses(b"\xef\xbb\xbf", 3, "bad.txt is empty", words=["--set", "data.encoding=utf-8-sig"])
    train(source="-", stdin=b"").fails(3, "standard input is empty")


@pytest.mark.parametrize("data", [b"a", b"a" * 5000, "é".encode() * 5000, b"\0" * 5000, b"\n" * 5000])
def test_row_41_a_text_of_one_symbol_teaches_nothing(refuses, data):
    refuses(data, 3, "bad.txt has one distinct character", "nothing to predict")


@pytest.mark.parametrize("n", [2, 3, 20, 400, 2000])
@pytest.mark.parametrize("split_by", ["tail", "columns"])
def test_row_41_a_text_that_is_too_short_is_refused_with_advice_that_works(charrnn, tmp_path, n, split_by):
    (tmp_path / "short.txt").write_text(("ab c" * n)[:n])
    sets = ["-c", "lstm", "--hidden-size", 4, "--epochs", 1, "--set", f"data.split_by={split_by}"]
    first = charrnn("train", "short.txt", "-q", *sets)
    first.fails(3, "too short", "needs", "batch_size 32", "seq_length 64")
    _, _, advice = first.err.partition("use more text, or ")
    charrnn("train", "short.txt", "-q", *sets, *shlex.split(advice)).ok()  # all of it at once


@pytest.mark.parametrize("n", [2, 20, 70])
def test_row_41_so_is_a_text_that_is_too_short_for_the_recipe_that_is_chosen_for_it(charrnn, tmp_path, n):
    (tmp_path / "short.txt").write_text(("ab c" * n)[:n])
    first = charrnn("train", "short.txt", "-q", "--iterations", 1)
    first.fails(3, "too short", "needs", "batch_size 2", "seq_length 32")
    _, _, advice = first.err.partition("use more text, or ")
    charrnn("train", "short.txt", "-q", "--iterations", 1, *shlex.split(advice)).ok()


def test_row_41_a_hundred_characters_are_enough(charrnn, tmp_path):
    (tmp_path / "short.txt").write_text("ab c" * 25)
    charrnn("train", "short.txt", "-q", "--iterations", 1).ok()


def test_row_41_needed_and_found_are_the_true_numbers(train, tmp_path):
    words = ["--set", "data.split=[1,0,0]"]
    (tmp_path / "short.txt").write_text("abcd" * 8)
    train(*words, source="short.txt").fails(3, "32 characters", "needs 33")
    (tmp_path / "short.txt").write_text("abcd" * 8 + "a")
    train(*words, source="short.txt").ok()


@pytest.mark.parametrize(("split", "part"), [("[0.98,0.02,0]", "validation"), ("[0.98,0,0.02]", "test")])
def test_row_41_a_part_with_no_character_to_predict_is_refused_with_its_size(train, tmp_path, split, part):
    (tmp_path / "short.txt").write_text("abcd" * 24)
    result = train("--set", f"data.split={split}", source="short.txt")
    result.fails(3, f"its {part} part has 1 of the 2 characters needed", "--set 'data.split=[1,0,0]'")
    (tmp_path / "short.txt").write_text("abcd" * 25)
    train("--set", f"data.split={split}", source="short.txt").ok()


# --- 42: what is there is no file, or none that can be read ---


def test_row_42_a_text_that_is_not_there_is_answered_with_the_nearest_corpus(train):
    train(source="harbor").fails(3, "harbor", "'harbour'")
    train(source="nowhere.txt").fails(3, "nowhere.txt", "charrnn corpus list")


def test_row_42_a_directory_is_no_text(train, tmp_path):
    (tmp_path / "texts").mkdir()
    train(source="texts").fails(3, "texts has no files that are texts; give a text")


def test_row_42_a_file_below_a_file_is_no_text(train, text):
    train(source=text / "below.txt").fails(3, "below.txt")


@pytest.mark.parametrize("command", ["train", "eval", "info"])
@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_row_42_a_name_that_no_file_can_have_is_refused(charrnn, trained, command, name):
    charrnn(command, *[trained] * (command == "eval"), name).fails(3, "cannot be read", "give a readable file")


def test_row_42_a_link_that_leads_nowhere_or_to_itself_is_no_text(train, tmp_path):
    (tmp_path / "nowhere.txt").symlink_to("gone.txt")
    train(source="nowhere.txt").fails(3, "nowhere.txt: no such file")
    (tmp_path / "ring.txt").symlink_to("ring.txt")
    train(source="ring.txt").fails(3, "ring.txt", "cannot be read", os.strerror(errno.ELOOP))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no sockets among the files here")
def test_row_42_a_socket_is_no_text(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        train(source="socket").fails(3, "socket", "cannot be read")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_row_42_a_text_that_cannot_be_opened_is_named_with_the_reason(train, text, monkeypatch, number):
    def failing(library, source):
        raise OSError(number, os.strerror(number), source)

    monkeypatch.setattr(sources.Opener, "_open", failing)
    train().fails(3, text.name, "cannot be read", os.strerror(number))


@pytest.mark.anywhere
@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="nothing is unreadable for root")
def test_row_42_a_text_that_may_not_be_read_is_named(train, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "secret.txt").chmod(0)
    train(source="secret.txt").fails(3, "secret.txt", "cannot be read", os.strerror(errno.EACCES))


def test_row_42_a_disk_that_fails_while_a_text_is_read_is_a_data_error(train, text, monkeypatch):
    class Failing(io.FileIO):
        def read(self, size=-1):
            if self.tell():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    monkeypatch.setattr(sources, "CHUNK", 1000)
    monkeypatch.setattr(sources.Opener, "_open", lambda opener, path: Failing(path))
    train().fails(3, text.name, "cannot be read", os.strerror(errno.EIO))


@pytest.mark.parametrize(
    ("command", "device"),
    [
        ("train", "/dev/zero"),
        ("eval", "/dev/zero"),
        ("info", "/dev/zero"),
        ("train", "/dev/urandom"),
        ("train", "/dev/null"),
    ],
)
def test_row_42_a_device_is_no_text_and_is_not_read_without_end(trained, tmp_path, command, device):
    if not os.path.exists(device):
        pytest.skip(f"there is no {device}")
    words = [sys.executable, "-m", "charrnn", command, *[trained] * (command == "eval")]
    for source, name in (device, device), ("-", "standard input"):
        script = f'ulimit -f 100000; exec "$@" <{device}'  # so that a failure does not fill the disk
        done = subprocess.run(
            ["sh", "-c", script, "sh", *words, source], cwd=tmp_path, capture_output=True, check=False, timeout=60
        )
        result = Result(done.returncode, done.stdout, done.stderr.decode())
        result.fails(3, f"{name} is a device, not a text; give a file")


@pytest.mark.anywhere
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo terminals here")
@pytest.mark.parametrize("named", [False, True])
def test_row_42_a_terminal_is_read_until_its_user_ends_the_text(tmp_path, named):
    user, terminal = os.openpty()
    try:
        os.write(user, b"typed by hand\n\x04")
        source = os.ttyname(terminal) if named else "-"
        command = [sys.executable, "-m", "charrnn", "info", source, "--json"]
        done = subprocess.run(command, stdin=terminal, capture_output=True, check=True, timeout=60)
    finally:
        os.close(user)
        os.close(terminal)
    assert json.loads(done.stdout)["characters"] == len("typed by hand\n")


@pytest.fixture
def pipe(tmp_path):
    """A named pipe that gives these bytes, once."""
    writers = []

    def make(data):
        (tmp_path / "pipe").unlink(missing_ok=True)
        os.mkfifo(tmp_path / "pipe")
        writers.append(threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,)))
        writers[-1].start()
        return "pipe"

    yield make
    for writer in writers:
        writer.join()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("disk", [False, True])
def test_row_42_every_command_takes_a_text_that_can_be_read_once(charrnn, train, trained, text, pipe, on_disk, disk):
    if disk:
        on_disk()
    data = text.read_bytes()
    train("-o", "run", source=pipe(data)).ok()
    assert charrnn("eval", trained, pipe(data), "--json").ok().json["bytes"] == len(data) - 1
    facts = charrnn("info", pipe(data), "--json").ok().json
    assert facts == charrnn("info", text, "--json").ok().json | {"text": "pipe"}
    assert charrnn("info", pipe(b"caf\xe9\r\n" * 9), "--json").ok().json["line_ends"] == "CRLF"


def test_row_42_standard_input_is_the_same_text_as_the_file(charrnn, train, trained, text, tmp_path, contents):
    data = text.read_bytes()
    train("-o", "named").ok()
    train("-o", "piped", source="-", stdin=data).ok()
    assert contents(tmp_path / "piped" / "last.npz")[0] == contents(tmp_path / "named" / "last.npz")[0]
    named, piped = (charrnn("eval", trained, source, "--json", stdin=data).ok().out for source in (text, "-"))
    assert named == piped


@linux
def test_row_42_a_file_that_has_no_size_is_read_to_its_end(charrnn):
    facts = charrnn("info", "/proc/self/status", "--json").ok().json
    assert facts["bytes"] > 0


def test_row_42_a_file_whose_beginning_another_has_read_is_read_from_there(text):
    with open(text, "rb") as stdin:
        os.lseek(stdin.fileno(), 1000, os.SEEK_SET)
        command = [sys.executable, "-m", "charrnn", "info", "-", "--json"]
        done = subprocess.run(command, stdin=stdin, capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout)["bytes"] == text.stat().st_size - 1000


# --- 43: larger than memory ---

LIMITED = """
import re, resource, sys
from charrnn.text import codes
limit = int(sys.argv.pop(1))
if limit:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
codes.IN_MEMORY = int(sys.argv.pop(1))
from charrnn.__main__ import main
try:
    main()
finally:
    with open("/proc/self/status") as status:
        print(re.search(r"VmPeak:\\s+(\\d+)", status.read())[1], file=sys.stderr)
"""
"""The program with so many bytes of address space, which tells at its end how many KiB it used."""


def limited(limit, *arguments, cwd, in_memory=codes.IN_MEMORY):
    """What `charrnn ARGUMENTS` left under this limit (0 for none), and the bytes of address space that it used."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), str(in_memory), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=False,
        timeout=1800,
    )
    *said, peak = done.stderr.decode().splitlines()
    return Result(done.returncode, done.stdout, "".join(f"{line}\n" for line in said)), int(peak) << 10


ROOM = 48 << 20
"""Bytes of address space beyond what a text of a few kilobytes needs."""


@pytest.fixture
def large(text, tmp_path):
    """`large.txt`, which would take 120 MB of memory, at two bytes for a character, and `small.txt` like it."""
    scripts = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    (tmp_path / "large.txt").write_text(scripts + text.read_text("utf-8") * 20_000, "utf-8")
    (tmp_path / "small.txt").write_text(scripts + text.read_text("utf-8"), "utf-8")


@linux
@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("command", ["train", "info"])
def test_row_43_a_text_larger_than_the_memory_left_is_read_and_learned(tiny, tmp_path, command):
    options = ["-c", tiny, "-q", "--set", "train.threads=1", "-o"] if command == "train" else []
    words = [*options, "small"] if options else []
    _, usual = limited(0, command, "small.txt", *words, cwd=tmp_path)
    words = [*options, "large"] if options else []
    result, peak = limited(usual + ROOM, command, "large.txt", *words, cwd=tmp_path)
    result.ok()
    assert peak <= usual + ROOM
    assert not list((tmp_path / "cache").iterdir())


@linux
@pytest.mark.usefixtures("large")
def test_row_43_in_that_memory_the_whole_text_has_no_place(tmp_path):
    """So that the test before this one means something."""
    _, usual = limited(0, "info", "small.txt", cwd=tmp_path)
    result, _ = limited(usual + ROOM, "info", "large.txt", cwd=tmp_path, in_memory=1 << 40)
    result.fails(6, "out of memory")


@linux
@pytest.mark.long
@pytest.mark.parametrize(("command", "copies"), [("train", 1), ("info", 2)])
def test_row_43_four_gigabytes_are_read_and_learned_in_half_a_gigabyte(text, tiny, tmp_path, command, copies):
    size = 4 << 30
    needed = copies * size + (1 << 30)
    if shutil.disk_usage(tmp_path).free < needed:
        pytest.skip(f"{needed >> 30} GiB of disk are needed for what charrnn keeps of the text")
    (tmp_path / "large.txt").write_bytes(text.read_bytes())
    os.truncate(tmp_path / "large.txt", size)  # zeros, which take no place
    options = ["-c", tiny, "-q", "-o", "run", "--set", "train.threads=1", "--set", "train.iterations=5"]
    words = ["--json"] if command == "info" else options
    result, peak = limited(512 << 20, command, "large.txt", *words, cwd=tmp_path)
    result.ok()
    print(f"{command} of {size >> 30} GiB in {peak >> 20} MiB of address space")
    if command == "info":
        assert result.json["characters"] == result.json["bytes"] == size
    assert not list((tmp_path / "cache").iterdir())


# --- 44: cut short or changed, while it is read and afterwards ---


def rewritten(path, data):
    with open(path, "r+b") as file:
        file.write(data)


CHANGES = {
    "cut short": lambda path: os.truncate(path, 2500),
    "emptied": lambda path: os.truncate(path, 0),
    "cut within a character": lambda path: os.truncate(path, 2501),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"more\n"),
    "written in place": lambda path: rewritten(path, b"a new beginning"),
    "cut and grown again": lambda path: [os.truncate(path, 2000), os.truncate(path, 4000)],
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("command", ["train", "eval", "info"])
def test_row_44_a_text_that_changes_while_it_is_read_is_refused(
    charrnn, trained, train, tmp_path, monkeypatch, command, what
):
    path = tmp_path / "log.txt"
    path.write_bytes("née\n".encode() * 800)  # 4,000 bytes
    before = os.stat(path).st_mtime_ns - 10**9  # a clock of files may have ticks of some milliseconds
    os.utime(path, ns=(before, before))
    read, append = 0, codes.Codes.append

    def changing(self, new):
        nonlocal read
        read += 1
        if read == 3:
            CHANGES[what](path)
        append(self, new)

    monkeypatch.setattr(sources, "CHUNK", 1000)
    monkeypatch.setattr(codes.Codes, "append", changing)
    result = charrnn(command, *[trained] * (command == "eval"), "log.txt")
    result.fails(3, "log.txt changed while it was read; try again when nobody writes it")
    assert not (tmp_path / "runs").exists()


def test_row_44_a_text_replaced_while_it_is_read_is_the_one_that_was_opened(charrnn, tmp_path, monkeypatch):
    path, data, append = tmp_path / "log.txt", b"line\n" * 800, codes.Codes.append
    path.write_bytes(data)

    def replacing(self, new):
        (tmp_path / "new.txt").write_bytes(b"another\n" * 100)
        os.replace(tmp_path / "new.txt", path)
        append(self, new)

    monkeypatch.setattr(sources, "CHUNK", 1000)
    monkeypatch.setattr(codes.Codes, "append", replacing)
    assert charrnn("info", "log.txt", "--json").ok().json["sha256"] == hashlib.sha256(data).hexdigest()


def eventually(condition, process):
    """Waits for it; not longer than the process lives."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def opened(process, path):
    """The handles of a process to files that are called so, or lie in a folder that is."""
    for handle in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed by now
            file = Path(os.readlink(handle))
            if path in (file, *file.parents):
                yield handle


def places(process, path):
    """How far a process has read each of its files that are called so."""
    for handle in opened(process, path):
        with contextlib.suppress(FileNotFoundError):
            yield int(re.search(r"pos:\s+(\d+)", Path(f"/proc/{process.pid}/fdinfo/{handle.name}").read_text())[1])


@pytest.mark.anywhere
@linux
@pytest.mark.parametrize("command", ["train", "info"])
def test_row_44_a_text_cut_short_while_it_is_read_is_an_error_of_one_line(start, tmp_path, text, command):
    path = tmp_path / "growing.txt"
    path.write_bytes(text.read_bytes())
    os.truncate(path, 8 << 30)  # which takes long enough to be read
    with start(command, path) as process:
        eventually(lambda: sum(places(process, path)) > 40 << 20, process)
        os.truncate(path, 30 << 20)
        out, err = process.communicate(timeout=60)
    Result(process.returncode, out, err.decode()).fails(3, f"{path} changed while it was read")
    assert not (tmp_path / "runs").exists()
    assert not list((tmp_path / "cache").iterdir())


LONGER = ["--set", "train.iterations=600", "--set", "train.checkpoint_every=50", "--set", "train.eval_every=300"]


@pytest.mark.skipif(os.name == "nt", reason="nobody can cut an open file there")
@pytest.mark.parametrize(
    ("what", "place"),
    [
        ("cut short", "on disk"),
        ("cut short", "in memory"),
        ("emptied", "in memory"),
        ("written in place", "in memory"),
        ("removed", "in memory"),
    ],
)
def test_row_44_a_text_that_changes_has_no_effect_until_resuming_notices_it(
    charrnn, start, train, text, tiny, tmp_path, contents, place, what
):
    path, data = tmp_path / "text.txt", text.read_bytes() * (6_000 if place == "on disk" else 1)
    path.write_bytes(data)
    with start("train", "text.txt", "-c", tiny, "-o", "run", *LONGER) as process:
        eventually((tmp_path / "run" / "last.npz").exists, process)
        process.send_signal(signal.SIGSTOP)
        path.unlink() if what == "removed" else CHANGES[what](path)
        assert contents(tmp_path / "run" / "last.npz")[1]["iteration"] < 600
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()

    more = ["train", "-o", "run", "--resume", "-q", "--set", "train.iterations=610"]
    if what == "removed":
        charrnn(*more).fails(3, "text.txt, which is not there")
    else:
        sums = [hashlib.sha256(each).hexdigest()[:12] for each in (path.read_bytes(), data)]
        charrnn(*more).fails(*((4, "not what this run learns from", *sums) if path.stat().st_size else (3, "is empty")))
    path.write_bytes(data)
    train("-o", "whole", *LONGER, source="text.txt").ok()
    assert (tmp_path / "run" / "last.npz").read_bytes() == (tmp_path / "whole" / "last.npz").read_bytes()
    charrnn(*more).ok()


@pytest.mark.anywhere
@linux
def test_row_44_a_copy_cut_short_ends_the_run_and_what_was_saved_goes_on(
    charrnn, start, text, tiny, tmp_path, contents
):
    """Nobody else knows the copy's place; a disk that fails may lose it none the less."""
    (tmp_path / "text.txt").write_bytes(text.read_bytes() * 6_000)
    with start("train", "text.txt", "-c", tiny, "-o", "run", "-q", "--set", "train.iterations=1000000") as process:
        eventually((tmp_path / "run" / "last.npz").exists, process)
        os.truncate(next(opened(process, tmp_path / "cache")), 0)
        out, err = process.communicate(timeout=60)
    Result(process.returncode, out, err.decode()).fails(6, "cannot read what was written in", "cache", "try again")
    iteration = contents(tmp_path / "run" / "last.npz")[1]["iteration"]
    charrnn("train", "-o", "run", "--resume", "-q", "--set", f"train.iterations={iteration + 3}").ok()


# --- 45: too many symbols ---


@pytest.fixture
def million(tmp_path):
    """A text of a million different characters, in no order."""
    points = [*range(0xD800), *range(0xE000, 1_000_000 + 0x800)]
    random.Random(1).shuffle(points)
    path = tmp_path / "million.txt"
    path.write_text("".join(map(chr, points)), "utf-8", newline="")
    return path


def measured(*arguments, cwd):
    """What `charrnn ARGUMENTS` left, the seconds it computed, at most a minute, and its peak memory in MiB."""
    import resource  # which is for POSIX alone

    with open(cwd / "out", "w+b") as out, open(cwd / "err", "w+b") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "charrnn", *map(str, arguments)], cwd=cwd, stdout=out, stderr=err
        )
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (60, 60))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        result = Result(process.returncode, out.read(), err.read().decode())
    return result, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


@linux
def test_row_45_a_million_symbols_are_refused_in_seconds_and_little_memory(million, text, tmp_path):
    _, _, usual = measured("info", text, cwd=tmp_path)
    result, seconds, peak = measured("train", "million.txt", cwd=tmp_path)
    result.fails(3, "1,000,000 distinct characters", "at most 65,536", "--set data.max_vocab=4096")
    assert not (tmp_path / "runs").exists()
    assert seconds < 20
    assert peak < usual + 200


def test_row_45_what_that_error_advises_works(train, million):
    train("--set", "data.max_vocab=4096", source=million).ok()


def test_row_45_info_tells_even_such_a_text(charrnn, million):
    facts = charrnn("info", million, "--json").ok().json
    assert facts["distinct"] == facts["characters"] == 1_000_000
    assert facts["symbols"] == "".join(sorted(million.read_bytes().decode()))


def test_row_45_eval_names_some_of_the_characters_that_the_model_never_saw(charrnn, trained, million):
    result = charrnn("eval", trained, million).fails(
        3, "the model never saw", f"{million}: ", " more; to score the rest: charrnn eval "
    )
    assert len(result.err) < 1000


def test_row_45_as_many_symbols_as_a_model_may_have_are_taken_but_no_more():
    symbols = "".join(map(chr, range(0x10000, 0x10000 + MOST_SYMBOLS)))
    assert Vocabulary.of(symbols[::-1]).symbols == symbols
    with pytest.raises(DataError, match="65,537 distinct characters"):
        Vocabulary.of(symbols + "a")
