"""Several files, folders and compressed files: what is read, in which order, and what is said of it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile

import pytest
from driving import FOXES

from charrnn.runs.checkpoint import load

LINES = FOXES.splitlines(keepends=True)
FIRST, SECOND = "".join(LINES[:20]), "".join(LINES[20:])


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


PACKED = {
    "t.txt.gz": gzip.compress(FOXES.encode()),
    "t.txt.bz2": bz2.compress(FOXES.encode()),
    "t.txt.xz": lzma.compress(FOXES.encode()),
    "t.zip": zipped({"t.txt": FOXES}),
    "two.zip": zipped({"b.txt": FIRST, "a.txt": SECOND}),
    "two.gz": gzip.compress(FIRST.encode()) + gzip.compress(SECOND.encode()),
    "two.bz2": bz2.compress(FIRST.encode()) + bz2.compress(SECOND.encode()),
    "two.xz": lzma.compress(FIRST.encode()) + bytes(8) + lzma.compress(SECOND.encode()),
    "named as if it were none.txt": gzip.compress(FOXES.encode()),
}
"""The foxes, in every way in which they can be packed."""


@pytest.fixture
def packed(tmp_path):
    def write(name):
        (tmp_path / name).write_bytes(PACKED[name])
        return name

    return write


@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_text_is_the_text(charrnn, train, trained, text, packed, tmp_path, name):
    train("-o", "run", source=packed(name)).ok()
    now, before = load(tmp_path / "run").corpus, load(trained).corpus
    assert (now.size, now.sha256) == (before.size, before.sha256)
    assert charrnn("eval", trained, name, "--json").ok().out == charrnn("eval", trained, text, "--json").ok().out
    facts, plain = (charrnn("info", path, "--json").ok().json for path in (name, text))
    assert facts | {"text": ""} == plain | {"text": ""}


@pytest.mark.parametrize("name", ["t.txt.gz", "two.bz2", "two.xz"])
def test_a_compressed_text_comes_through_a_pipe(charrnn, trained, text, name):
    piped = charrnn("eval", trained, "-", "--json", stdin=PACKED[name]).ok()
    assert piped.out == charrnn("eval", trained, text, "--json").ok().out


def test_an_archive_cannot_come_through_a_pipe(process):
    process("info", "-", stdin=PACKED["t.zip"]).fails(3, "standard input has a zip archive", "give the file itself")


@pytest.mark.parametrize("name", ["t.txt.gz", "t.zip"])
def test_a_compressed_prompt_is_its_text(charrnn, trained, packed, name):
    prompted = charrnn("sample", trained, "--prompt-file", packed(name), "-n", 0).ok()
    assert prompted.out.decode() == FOXES


@pytest.mark.parametrize("name", ["t.txt.gz", "t.zip"])
def test_compressed_inputs_are_answered(charrnn, taught, tmp_path, name):
    data = b"aei\n01\n"
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else zipped({"t.txt": data}))
    run = taught("classify")
    assert charrnn("predict", run, name).ok().out == charrnn("predict", run, stdin=data).ok().out


# --- several ---


@pytest.fixture
def folder(tmp_path):
    """A folder with the foxes in two files, and much else."""
    files = {
        "texts/b.txt": SECOND.encode(),
        "texts/a/z.txt": FIRST.encode(),
        "texts/a/.hidden": b"hidden",
        "texts/.git/config": b"hidden",
        "texts/.DS_Store": b"\0\0\0\1Bud1",
        "texts/cat.png": b"\x89PNG\r\n\x1a\n",
        "texts/a/data.bin": b"some\0bytes",
        "texts/empty.txt": b"",
        "texts/run/last.npz": b"PK",
        "texts/run/config.yaml": b"model: {}",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return "texts"


def test_a_folder_is_its_texts_in_the_order_of_their_paths(charrnn, trained, text, folder):
    result = charrnn("eval", trained, folder, "--json").ok()
    assert result.out == charrnn("eval", trained, text, "--json").ok().out
    assert result.err.splitlines() == [
        "texts: 3 files, in the order of their paths: a/z.txt, b.txt, empty.txt; passed over: 3 hidden, "
        "2 no text (texts/a/data.bin, texts/cat.png), 1 linked folders or runs"
    ]


def test_several_texts_are_one_in_the_order_given(charrnn, tiny, tmp_path, text):
    (tmp_path / "one.txt").write_text(FIRST, "utf-8")
    (tmp_path / "two.txt").write_text(SECOND, "utf-8")
    said = charrnn("train", "one.txt", "two.txt", "-c", tiny, "-o", "run").ok().err
    assert "2 sources: one.txt, two.txt: read in this order, with nothing between\n" in said
    assert load(tmp_path / "run").corpus.size == text.stat().st_size
    charrnn("train", "two.txt", "one.txt", "-c", tiny, "-q", "-o", "other").ok()
    assert len({load(tmp_path / run).corpus.sha256 for run in ("run", "other")}) == 2
    charrnn("train", text, "-c", tiny, "-q", "-o", "whole").ok()
    assert charrnn("sample", "run", "--seed", 1).ok().out == charrnn("sample", "whole", "--seed", 1).ok().out


def test_a_file_whose_last_line_has_no_end_is_said(charrnn, tiny, tmp_path):
    (tmp_path / "one.txt").write_text(FIRST.rstrip(), "utf-8")
    (tmp_path / "two.txt").write_text(SECOND.rstrip(), "utf-8")
    said = charrnn("train", "one.txt", "two.txt", "-c", tiny).ok().err
    assert "goes on in it: 1\n" in said


def test_each_file_is_a_document_wherever_it_is(charrnn, train, folder, tmp_path):
    (tmp_path / "more.zip").write_bytes(zipped({"c.txt": "The third\n", "d/e.txt": "The fourth\n"}))
    (tmp_path / "f.txt.gz").write_bytes(gzip.compress(b"The fifth\n"))
    words = [word for key in ("documents=files", "split=[1,0,0]") for word in ("--set", f"data.{key}")]
    charrnn("train", folder, "more.zip", "f.txt.gz", "-q", "-o", "run", *words, "--set", "train.iterations=1").ok()
    judged = charrnn("eval", "run", folder, "more.zip", "f.txt.gz", "--json").ok().json
    assert judged["chars"] == len(FIRST) + 1 + len(SECOND) + 1 + 11 + 12 + 11
    assert load(tmp_path / "run").corpus.sources == (folder, "more.zip", "f.txt.gz")


def test_lines_are_documents_that_go_on_in_no_other_file(charrnn, tmp_path):
    (tmp_path / "a.txt").write_text("anna\notto", "utf-8")
    (tmp_path / "b.txt").write_text("emma\nida", "utf-8")
    words = [word for key in ("documents=lines", "split=[1,0,0]") for word in ("--set", f"data.{key}")]
    charrnn("train", "a.txt", "b.txt", "-q", "-o", "run", *words, "--set", "train.iterations=1").ok()
    assert charrnn("eval", "run", "a.txt", "--json").ok().json["chars"] == len("anna.otto.")
    run = load(tmp_path / "run")
    assert [file.name for file in run.corpus.files] == ["a.txt", "b.txt"]


@pytest.mark.parametrize("way", ["files", "folder", "zip", "gz"])
def test_pairs_come_from_several_files_and_name_the_one_that_is_wrong(charrnn, tiny, tmp_path, way):
    rows = {"a.tsv": "a\tb\nb\ta\n" * 5, "b.tsv": "ab\tba\nba\tab\n" * 5}
    wrong = "ba\tab\nno tab here\n"
    (tmp_path / "d").mkdir()

    def write(files):
        for name, data in files.items():
            (tmp_path / "d" / name).write_text(data, "utf-8")
        (tmp_path / "d.zip").write_bytes(zipped(files))
        (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(files["b.tsv"].encode()))
        where = {"files": ["d/a.tsv", "d/b.tsv"], "folder": ["d"], "zip": ["d.zip"], "gz": ["d/a.tsv", "b.tsv.gz"]}
        return where[way]

    task = ["-c", tiny, "-q", "--set", "task.name=transduce", "--set", "data.split=[1,0,0]"]
    charrnn("train", *write(rows), *task, "-o", "run").ok()
    assert charrnn("eval", "run", *write(rows)[:1], "--json").ok().json["items"] in (2, 4)
    place = {"files": "d/b.tsv:2:", "folder": "d/b.tsv:2:", "zip": "d.zip/b.tsv:2:", "gz": "b.tsv.gz:2:"}[way]
    charrnn("train", *write(rows | {"b.tsv": wrong}), *task).fails(3, place, "no tab")


@pytest.mark.parametrize("way", ["folder", "zip", "folder of compressed files"])
def test_a_file_for_each_label_may_be_in_a_folder_or_an_archive(charrnn, tiny, tmp_path, way):
    names = {"Czech.txt": "Novak\nSvoboda\nCerny\n", "Irish.txt": "Kelly\nByrne\nRyan\n"}
    (tmp_path / "surnames").mkdir()
    for name, data in names.items():
        if way == "folder of compressed files":
            (tmp_path / "surnames" / f"{name}.gz").write_bytes(gzip.compress(data.encode()))
        else:
            (tmp_path / "surnames" / name).write_text(data, "utf-8")
    (tmp_path / "surnames.zip").write_bytes(zipped({f"names/{name}": data for name, data in names.items()}))
    source = "surnames.zip" if way == "zip" else "surnames"
    task = ["-c", tiny, "-q", "--set", "task.name=classify", "--set", "data.split=[1,0,0]"]
    charrnn("train", source, *task, "-o", "run").ok()
    assert load(tmp_path / "run").task.labels == ("Czech", "Irish")
    assert charrnn("eval", "run", source, "--json").ok().json["items"] == 6


# --- again ---


def test_a_run_on_several_sources_is_resumed_as_if_it_had_not_stopped(charrnn, tiny, contents, folder, tmp_path):
    (tmp_path / "more.txt.gz").write_bytes(gzip.compress(FIRST.encode()))
    words = [folder, "more.txt.gz", "-c", tiny, "-q"]
    charrnn("train", *words, "-o", "whole").ok()
    charrnn("train", *words, "-o", "parts", "--set", "train.iterations=6").ok()
    charrnn("train", "-o", "parts", "--resume", "-q", "--set", "train.iterations=12").ok()
    assert contents(tmp_path / "parts" / "last.npz") == contents(tmp_path / "whole" / "last.npz")


CHANGES = {
    "b.txt has changed": lambda place: (place / "b.txt").write_text(SECOND + "more\n", "utf-8"),
    "b.txt is gone": lambda place: (place / "b.txt").unlink(),
    "new.txt is new": lambda place: (place / "new.txt").write_text("new\n", "utf-8"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_file_is_named_that_is_not_as_it_was(charrnn, train, folder, tmp_path, what):
    train("-o", "run", source=folder).ok()
    CHANGES[what](tmp_path / folder)
    resumed = charrnn("train", "-o", "run", "--resume", "--set", "train.iterations=20")
    resumed.fails(4, f"{folder}/{what}; this run learns from {folder} as it was")


def test_a_run_keeps_no_list_of_one_file(train, text, tmp_path):
    train("-o", "run").ok()
    assert (load(tmp_path / "run").corpus.sources, load(tmp_path / "run").corpus.files) == ((), ())


def test_a_run_is_called_after_the_first_source(charrnn, tiny, folder, tmp_path, packed):
    for source in (folder, f"{folder}/", packed("t.txt.gz")):
        charrnn("train", source, "-c", tiny, "-q").ok()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["t-1", "texts-1", "texts-2"]


# --- what is refused, in one line ---

BOMB = gzip.compress(bytes(80 << 20), 9)
REFUSED = {
    "bomb.gz": (BOMB, "bomb.gz unpacks to more than 250 times its size"),
    "bomb.zip": (zipped({"t.txt": "good\n", "zeros.txt": b"a" * (80 << 20)}), "bomb.zip unpacks to more than"),
    "cut.gz": (PACKED["t.txt.gz"][:-20], "cut.gz is a damaged or incomplete gzip file"),
    "cut.bz2": (PACKED["t.txt.bz2"][:-20], "cut.bz2 is a damaged or incomplete bzip2 file"),
    "cut.xz": (PACKED["t.txt.xz"][:-20], "cut.xz is a damaged or incomplete xz file"),
    "cut.zip": (PACKED["t.zip"][:-20], "cut.zip is a damaged or incomplete zip file"),
    "bad.gz": (PACKED["t.txt.gz"][:40] + b"!!!" + PACKED["t.txt.gz"][43:], "bad.gz is a damaged"),
    "bad.zip": (PACKED["t.zip"].replace(PACKED["t.zip"][60:64], b"!!!!"), "bad.zip/t.txt is a damaged"),
    "images.zip": (zipped({"a.png": b"\x89PNG\r\n\x1a\n"}), "images.zip has no files that are texts"),
    "letter.docx": (zipped({"[Content_Types].xml": "<xml>", "word/document.xml": "<xml>"}), "is an Office document"),
    "book.epub": (zipped({"mimetype": "application/epub+zip"}), "is an e-book"),
    "cat.png": (b"\x89PNG\r\n\x1a\n", "cat.png is a PNG image, not a text; give a text"),
    "t.tar": (b"t.txt".ljust(257, b"\0") + b"ustar  \0" + bytes(247), "is a tar archive", "tar -xf t.tar"),
    "t.tar.gz": (gzip.compress(b"t.txt".ljust(257, b"\0") + b"ustar  \0" + bytes(247)), "tar -xf t.tar.gz"),
    "my text.zst": (b"\x28\xb5\x2f\xfd....", "is compressed with zstd", "zstd -dc 'my text.zst' > 'my text.txt'"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("command", ["train", "eval"])
def test_what_is_no_text_is_named_in_one_line(charrnn, trained, tmp_path, command, name):
    data, *parts = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    charrnn(command, *[trained] * (command == "eval"), name).fails(3, *parts)
    assert not (tmp_path / "runs").exists()


def test_as_bytes_any_file_may_be_learnt(charrnn, tiny, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    charrnn("train", "a.png", "b.png", "-c", tiny, "-q", "-o", "run", "--set", "data.encoding=bytes").ok()
    assert load(tmp_path / "run").corpus.size == 2 * 1032


def test_an_encrypted_archive_is_named(charrnn, tmp_path):
    data = bytearray(PACKED["t.zip"])
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + place] |= 1
    (tmp_path / "secret.zip").write_bytes(data)
    charrnn("train", "secret.zip").fails(3, "secret.zip/t.txt is encrypted")


def test_a_run_is_no_text_and_a_folder_without_texts_is_named(charrnn, trained, tmp_path):
    charrnn("eval", trained, trained).fails(3, "is the directory of a run, not a text")
    charrnn("eval", trained, trained / "last.npz").fails(3, "is a checkpoint")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    charrnn("train", "images").fails(3, "images has no files that are texts; passed over: 1 no text")


def test_an_error_says_in_which_file_and_where_in_it(charrnn, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_text("one\n" * 100, "utf-8")
    (tmp_path / "d" / "b.txt").write_bytes(b"two\nthr\xe9e\n")
    charrnn("train", "d").fails(3, "d/b.txt is not utf-8: byte 0xe9 at offset 7 (line 2)")


@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="nothing is unreadable for root")
def test_what_may_not_be_read_in_a_folder_is_passed_over_and_said(charrnn, trained, folder, tmp_path):
    (tmp_path / folder / "secret.txt").write_text("secret", "utf-8")
    (tmp_path / folder / "secret.txt").chmod(0)
    assert "1 unreadable (texts/secret.txt)" in charrnn("eval", trained, folder).ok().err


# --- line ends ---

ENDS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}


@pytest.mark.parametrize("end", ENDS)
def test_info_tells_line_ends_and_counts_lines(charrnn, tmp_path, end):
    (tmp_path / "t.txt").write_bytes(f"one{ENDS[end]}two{ENDS[end]}three{ENDS[end]}".encode())
    facts = charrnn("info", "t.txt", "--json").ok().json
    assert (facts["lines"], facts["line_ends"]) == (3, end)


def test_info_counts_line_ends_of_each_kind(charrnn, tmp_path):
    (tmp_path / "t.txt").write_bytes(b"a\nb\nc\r\nd\re\r\r\n")
    assert charrnn("info", "t.txt", "--json").ok().json["line_ends"] == "mixed: 2 LF, 2 CRLF, 2 CR"


@pytest.mark.parametrize("end", ENDS)
def test_line_ends_become_one_where_that_is_asked_for(charrnn, train, text, tmp_path, end):
    (tmp_path / "t.txt").write_bytes(FOXES.replace("\n", ENDS[end]).encode())
    train("-o", "run", "--set", "data.newlines=lf", source="t.txt").ok()
    train("-o", "plain").ok()
    assert load(tmp_path / "run").task == load(tmp_path / "plain").task
    assert charrnn("sample", "run", "--seed", 1).ok().out == charrnn("sample", "plain", "--seed", 1).ok().out
    judged = charrnn("eval", "run", "t.txt", "--json").ok().json
    assert judged == charrnn("eval", "plain", text, "--json").ok().json
    (tmp_path / "prompt.txt").write_bytes(FIRST.replace("\n", ENDS[end]).encode())
    assert charrnn("sample", "run", "--prompt-file", "prompt.txt", "-n", 0).ok().out == FIRST.encode()


def test_an_empty_name_is_not_the_current_folder(charrnn, trained, text):
    for words in (["train", ""], ["train", text, ""], ["eval", trained, ""], ["plan", ""]):
        charrnn(*words).fails(2, "the name of a text is empty; name a file")


def test_standard_input_is_one_text(charrnn, text):
    charrnn("train", "-", text, "-", stdin=text.read_bytes()).fails(2, "'-' is given twice")


def test_what_is_compressed_twice_or_was_no_text_before_is_named(charrnn, tmp_path):
    for name, data in {"twice.gz": PACKED["t.txt.gz"], "x.pdf.gz": b"%PDF-1.4 and so on"}.items():
        (tmp_path / name).write_bytes(gzip.compress(data))
    charrnn("train", "twice.gz").fails(3, "twice.gz is compressed twice, last with gzip; unpack it yourself")
    charrnn("train", "x.pdf.gz").fails(3, "x.pdf.gz is a PDF document, not a text; unpack it yourself")
    (tmp_path / "t.lzma").write_bytes(lzma.compress(FOXES.encode(), lzma.FORMAT_ALONE))
    charrnn("train", "t.lzma").fails(3, "t.lzma is compressed with lzma", "xz -dc t.lzma > t.txt")


def test_a_file_that_is_read_twice_is_told_of_by_whatever_names(charrnn, train, tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("a.txt", "folder/same.txt"):
        (tmp_path / name).write_text("the same words\n" * 40, "utf-8")
    (tmp_path / "folder/other.txt").write_text("other words\n" * 40, "utf-8")
    for name in ("folder/empty.txt", "folder/nothing.txt"):
        (tmp_path / name).write_bytes(b"")
    told = "has the same bytes as a file before; to learn them but once, leave out the copies"
    small = ["--set", "train.iterations=1", "--set", "train.seq_length=4"]
    for k, (sources, copy) in enumerate([(["a.txt", "a.txt"], "a.txt"), (["a.txt", "folder"], "folder/same.txt")]):
        assert f"{copy} {told}" in charrnn("train", *sources, "-o", f"run{k}", *small).ok().err.splitlines()
    assert "the same bytes" not in charrnn("train", "folder", "-o", "once", *small).ok().err
    assert "the same bytes" not in charrnn("eval", "once", "a.txt", "a.txt", "--unknown", "skip").ok().err
