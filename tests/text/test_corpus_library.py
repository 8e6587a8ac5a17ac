"""Texts from files, standard input, the standard library and the network."""

from __future__ import annotations

import hashlib
import io
import os
import sysconfig
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from charrnn.errors import CharrnnError, ConfigError, DataError, OutputError
from charrnn.resources import CORPORA
from charrnn.text.corpus import Library, gather_python_sources
from charrnn.text.encoding import decode
from charrnn.text.reading import Known

TEXT = "".join(f"line {i} of a text that is fetched\n" for i in range(9000)).encode()  # several reads of 64 KiB


def zipped(data, name="member"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


ARCHIVE = zipped(TEXT)


class Handler(BaseHTTPRequestHandler):
    requests: list[str]

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path == "/missing":
            return self.send_error(404)
        if self.path == "/garbage":
            return self.wfile.write(b"this is not HTTP\r\n\r\n")
        if self.path == "/silence":
            return None
        body = ARCHIVE if self.path == "/archive" else TEXT
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(body) + body[: len(body) // 2])  # and no more
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if self.path == "/half" else body)
        return None

    protocol_version = "HTTP/1.1"

    def handle(self):
        self.close_connection = True
        self.handle_one_request()

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def library(tmp_path, server):
    server.requests.clear()
    (tmp_path / "recipes").mkdir()
    return Library(tmp_path / "recipes", tmp_path / "cache")


def recipe(library, server, path="/text", **changes):
    values = {
        "title": "a text",
        "kind": "download",
        "address": f"http://127.0.0.1:{server.server_port}{path}",
        "bytes": len(TEXT),
        "sha256": hashlib.sha256(TEXT).hexdigest(),
    }
    (library.folder / "fetched.yaml").write_text(yaml.safe_dump(values | changes))


def archive(**changes):
    return {"member": "member", "bytes": len(ARCHIVE), "sha256": hashlib.sha256(ARCHIVE).hexdigest()} | changes


def characters(text):
    return "".join(text.pieces())


def kept(library):
    return sorted(path.name for path in library.cache.iterdir()) if library.cache.exists() else []


def test_a_corpus_is_fetched_verified_and_kept_and_progress_is_told(library, server):
    recipe(library, server)
    told = []
    path = library.fetch("fetched", lambda done, total: told.append((done, total)))
    assert path.read_bytes() == TEXT
    assert kept(library) == ["fetched.txt"]
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == (len(TEXT), len(TEXT))
    assert characters(library.read("fetched", "utf-8")) == TEXT.decode()


def test_a_second_fetch_downloads_nothing(library, server):
    recipe(library, server)
    assert library.fetch("fetched") == library.fetch("fetched")
    assert server.requests == ["/text"]


def test_a_damaged_copy_is_fetched_anew(library, server):
    recipe(library, server)
    library.fetch("fetched").write_bytes(TEXT[:-1])
    assert library.fetch("fetched").read_bytes() == TEXT


def test_the_member_of_an_archive_is_taken_out(library, server):
    recipe(library, server, "/archive", archive=archive())
    told = []
    assert library.fetch("fetched", lambda *n: told.append(n)).read_bytes() == TEXT
    assert told[-1] == (len(ARCHIVE), len(ARCHIVE))


FAILURES = {
    "another sha256": ("/text", {"sha256": "0" * 64}, DataError, "sha256 differs"),
    "longer than the recipe says": ("/text", {"bytes": len(TEXT) - 1}, DataError, "has more than"),
    "shorter than the recipe says": ("/text", {"bytes": len(TEXT) + 1}, DataError, f"has {len(TEXT):,} bytes and not"),
    "an archive with another sha256": ("/archive", {"archive": archive(sha256="0" * 64)}, DataError, "sha256 differs"),
    "an archive without the member": ("/archive", {"archive": archive(member="x")}, DataError, "not the archive"),
    "a member of another size": ("/archive", {"archive": archive(), "bytes": 10}, DataError, "has more than"),
    "no archive at all": (
        "/text",
        {"archive": archive(bytes=len(TEXT), sha256=hashlib.sha256(TEXT).hexdigest())},
        DataError,
        "not the archive",
    ),
    "not there": ("/missing", {}, OutputError, "Not Found"),
    "a server that stops in the middle": ("/half", {}, CharrnnError, "127.0.0.1"),
    "a server that stops in the middle of a chunk": ("/chunked", {}, CharrnnError, "127.0.0.1"),
    "a server that speaks no HTTP": ("/garbage", {}, OutputError, "127.0.0.1"),
    "a server that hangs up": ("/silence", {}, OutputError, "127.0.0.1"),
    "nobody there": ("", {"address": "http://127.0.0.1:9/text"}, OutputError, "refused"),
    "no address": ("", {"address": "text"}, OutputError, "text"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_fetch_that_fails_says_why_and_changes_nothing(what, library, server):
    path, changes, error, message = FAILURES[what]
    recipe(library, server, path, **changes)
    with pytest.raises(error, match=message):
        library.fetch("fetched")
    assert kept(library) == []

    library.cache.mkdir(exist_ok=True)
    library.path("fetched").write_bytes(b"an older text")
    with pytest.raises(error, match=message):
        library.fetch("fetched")
    assert kept(library) == ["fetched.txt"]
    assert library.path("fetched").read_bytes() == b"an older text"


def test_a_cache_that_cannot_be_written_is_an_output_error(library, server):
    recipe(library, server)
    library.cache.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot write"):
        library.fetch("fetched")


def test_a_corpus_that_is_not_here_yet_says_how_to_fetch_it(library, server):
    recipe(library, server)
    with pytest.raises(DataError, match="charrnn corpus fetch fetched"):
        library.read("fetched", "utf-8")
    assert server.requests == []


# --- the shipped recipes ---


@pytest.fixture
def shipped(tmp_path):
    return Library(CORPORA, tmp_path)


def test_every_shipped_recipe_has_what_its_kind_needs(shipped):
    needs = {
        "included": {"file"},
        "gathered": {"without"},
        "download": {"address", "bytes", "sha256"},
    }
    assert {"harbour", "python-stdlib", "tinyshakespeare"} <= set(shipped.names())
    for name in shipped.names():
        values = shipped.recipe(name)
        assert {"title", "kind", "size", "licence"} | needs[values["kind"]] <= values.keys(), name
        for part in (values, values.get("archive", {})):
            assert len(part.get("sha256", "0" * 64)) == 64
            assert type(part.get("bytes", 0)) is int


def test_an_unknown_corpus_is_answered_with_the_nearest(shipped):
    with pytest.raises(ConfigError, match="did you mean 'harbour'"):
        shipped.recipe("harbor")


def test_the_harbour_is_a_text_of_decent_size(shipped):
    text = shipped.read("harbour", "utf-8")
    assert text.size >= 40_000
    assert characters(text).encode() == shipped.path("harbour").read_bytes()
    assert len(text.symbols) < 120


@pytest.fixture(scope="session")
def sources():
    without = yaml.safe_load((CORPORA / "python-stdlib.yaml").read_text())["without"]
    return without, gather_python_sources(without)


def test_the_standard_library_is_ten_megabytes_of_valid_text_without_its_tests(sources):
    _, data = sources
    assert len(data) >= 10_000_000
    text = characters(decode([data], "python-stdlib", "utf-8"))
    assert "class OrderedDict(dict):" in text
    assert "from test.support import" not in text[:1_000_000]


def test_the_standard_library_is_gathered_by_path(sources):
    _, data = sources
    root = Path(sysconfig.get_path("stdlib"))
    names = ["abc.py", "collections/__init__.py", "json/decoder.py", "json/encoder.py", "textwrap.py"]
    places = [data.find((root / name).read_bytes()) for name in names]
    assert -1 not in places
    assert places == sorted(places)


def test_the_standard_library_is_gathered_the_same_twice(sources, shipped):
    _, data = sources
    path = shipped.provide("python-stdlib")
    assert path.read_bytes() == data
    path.write_text("kept")
    assert shipped.provide("python-stdlib").read_text() == "kept"


# --- files ---


def test_a_text_is_read_as_it_is(tmp_path, shipped, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffé\r\nb\n".encode())
    text = shipped.read(str(path), "utf-8")
    assert characters(text) == "é\r\nb\n"
    assert (text.name, text.size, text.marked) == (str(path), 9, True)
    assert text.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for encoding, data, expected in (
        ("latin-1", b"\xe9", "é"),
        ("bytes", bytes(range(256)), "".join(map(chr, range(256)))),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert characters(shipped.read("-", encoding)) == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_can_be_read_once_is_read_once(tmp_path, shipped, monkeypatch):
    monkeypatch.setattr("charrnn.text.sources.CHUNK", 100)
    pipe, data = tmp_path / "pipe", "né\n".encode() * 500
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    text = shipped.read(str(pipe), "utf-8")
    writer.join()
    assert characters(text).encode() == data
    assert text.sha256 == hashlib.sha256(data).hexdigest()


def test_a_large_text_is_kept_out_of_memory_and_leaves_nothing_in_the_cache(library, tmp_path, monkeypatch):
    monkeypatch.setattr("charrnn.text.codes.IN_MEMORY", 1000)
    (tmp_path / "large.txt").write_bytes(TEXT)
    text = library.read(str(tmp_path / "large.txt"), "utf-8")
    assert library.cache.is_dir()
    assert kept(library) == []
    assert characters(text).encode() == TEXT
    library.cache.rmdir()
    library.cache.touch()
    with pytest.raises(OutputError, match="cannot write"):
        library.read(str(tmp_path / "large.txt"), "utf-8")


def test_bytes_that_do_not_fit_the_encoding_are_located():
    with pytest.raises(DataError, match=r"is not utf-8: byte 0xff at offset 6 \(line 3\)"):
        decode([b"a\nbc\nd\xffe"], "x", "utf-8")
    with pytest.raises(DataError, match="is not utf-16"):
        decode([b"abc"], "x", "utf-16")


@pytest.mark.parametrize(
    ("source", "message"),
    [("no-such-file", "no such file"), ("harbuor", "did you mean the corpus 'harbour'"), ("a\0b", "cannot be read")],
)
def test_a_source_that_is_not_there_is_a_data_error(source, message, shipped):
    with pytest.raises(DataError, match=message):
        shipped.read(source, "utf-8")


def test_a_directory_and_an_empty_file_are_data_errors(tmp_path, shipped):
    with pytest.raises(DataError, match="has no files that are texts"):
        shipped.read(str(tmp_path), "utf-8")
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match="is empty"):
        shipped.read(str(tmp_path / "empty"), "utf-8")


def test_the_very_text_of_a_model_is_read_as_its_own_though_it_fits_another_encoding(tmp_path):
    data = "caf\u00e9 - A+O=k\n".encode("utf-7") * 3
    path = tmp_path / "t.txt"
    path.write_bytes(data)
    symbols = "".join({*data.decode("utf-7"), *data.decode()})
    for sha256, encoding in ((hashlib.sha256(data).hexdigest(), "utf-7"), ("another", "utf-8")):
        library = Library(tmp_path, tmp_path, known=Known(symbols, sha256))
        assert library.read([str(path)], "utf-7").encoding == encoding
