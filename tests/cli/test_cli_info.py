"""`charrnn info` and `charrnn corpus`: what is in a thing, and where texts are."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from driving import in_process

import charrnn as package
from charrnn.resources import CORPORA
from charrnn.runs.checkpoint import load


def test_info_of_a_run_is_that_of_its_best_checkpoint(charrnn, trained):
    of_run, of_file = (charrnn("info", path, "--json").ok().json for path in (trained, trained / "best.npz"))
    assert of_run == of_file
    assert of_run["checkpoint"] == str(trained / "best.npz")


def test_info_of_a_checkpoint_is_true(charrnn, trained, text):
    facts = charrnn("info", trained / "last.npz", "--json").ok().json
    run = load(trained / "last.npz")
    assert facts["parameters"] == sum(array.size for array in run.params.values())
    assert facts["symbols"] == "".join(sorted(set(text.read_text("utf-8"))))
    assert facts["vocabulary"] == len(facts["symbols"])
    assert facts["corpus_sha256"] == hashlib.sha256(text.read_bytes()).hexdigest()
    assert (facts["iteration"], facts["seed"], facts["batch_size"], facts["seq_length"]) == (200, 1, 4, 8)
    assert facts["model"].startswith("lstm 1x16, ")
    assert facts["best_nats"] == run.best
    assert f"charrnn {package.__version__}" in facts["written_by"]


def test_info_of_a_text_is_true(charrnn, tmp_path):
    data = "\ufeffnaïve €5\r\n𝄞\r\n".encode()
    (tmp_path / "t.txt").write_bytes(data)
    facts = charrnn("info", "t.txt", "--json").ok().json
    assert facts == {
        "text": "t.txt",
        "encoding": "utf-8",
        "bytes": len(data),
        "characters": 13,
        "distinct": 11,
        "symbols": "\n\r 5aenvï€𝄞",
        "lines": 2,
        "line_ends": "CRLF",
        "byte_order_mark": "yes",
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_info_of_a_text_that_is_not_utf_8_says_so(charrnn, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    facts = charrnn("info", "latin.txt", "--json").ok().json
    assert "bytes" in facts["encoding"]
    assert facts["distinct"] == 5


def test_info_of_a_corpus_and_of_stdin(charrnn, text):
    assert charrnn("info", "harbour", "--json").ok().json["bytes"] == (CORPORA / "harbour.txt").stat().st_size
    piped = charrnn("info", "-", "--json", stdin=text.read_bytes()).ok().json
    assert piped["sha256"] == hashlib.sha256(text.read_bytes()).hexdigest()


@pytest.mark.parametrize("which", ["trained", "text"])
def test_the_table_has_a_line_for_each_fact(charrnn, request, which):
    source = request.getfixturevalue(which)
    facts = charrnn("info", source, "--json").ok().json
    lines = charrnn("info", source).ok().text.splitlines()
    assert [line.split("  ")[0].strip() for line in lines] == [name.replace("_", " ") for name in facts]


@pytest.mark.parametrize(("name", "code"), [("nowhere", 3), ("nowhere.npz", 4)])
def test_info_of_nothing_is_an_error(charrnn, name, code):
    charrnn("info", name).fails(code, name)


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="file names there are text")
@pytest.mark.parametrize("words", [[], ["--json"]], ids=str)
def test_info_of_a_file_whose_name_is_not_text(charrnn, text, tmp_path, words):
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_bytes(text.read_bytes())
    charrnn("info", name, *words).ok()


def test_corpora_are_listed_with_size_and_licence(charrnn):
    lines = charrnn("corpus", "list").ok().text.splitlines()
    assert [line[2:].split()[0] for line in lines] == sorted(path.stem for path in CORPORA.glob("*.yaml"))
    harbour = next(line for line in lines if " harbour " in line)
    assert harbour.startswith("* ")
    assert "118 KB; CC0-1.0" in harbour
    assert next(line for line in lines if " enwik8 " in line).startswith("  ")


@pytest.mark.parametrize("word", ["path", "fetch"])
def test_the_path_of_the_included_corpus_is_a_file(charrnn, word):
    place = charrnn("corpus", word, "harbour").ok().text
    assert place.endswith("\n")
    assert Path(place[:-1]).read_bytes() == (CORPORA / "harbour.txt").read_bytes()


def test_a_corpus_in_the_cache_is_found_there(charrnn, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "text8.txt").write_text("anarchism originated")
    assert charrnn("corpus", "path", "text8").ok().text == f"{tmp_path / 'cache' / 'text8.txt'}\n"


@pytest.mark.parametrize("words", [["corpus", "path"], ["train"], ["info"]], ids=" ".join)
def test_a_corpus_that_is_not_here_yet_says_how_to_get_it(charrnn, words):
    charrnn(*words, "text8").fails(3, "charrnn corpus fetch text8")


@pytest.mark.parametrize("word", ["path", "fetch"])
def test_an_unknown_corpus_is_answered_with_the_nearest(charrnn, word):
    charrnn("corpus", word, "harbor").fails(2, "'harbor'", "'harbour'")


@pytest.mark.parametrize("words", [["--machine"], ["RUN"]], ids=" ".join)
def test_an_encoding_is_of_a_text_alone(charrnn, trained, words):
    typed = [trained if word == "RUN" else word for word in words]
    charrnn("info", *typed, "--encoding", "latin-1").fails(2, "--encoding is of a text; leave it out")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_json_is_utf_8_whatever_the_terminal_says_of_itself(process, tmp_path, encoding):
    (tmp_path / "t.txt").write_text("na\u00efve \u20ac \U0001f600\n", "utf-8")
    told = process("info", "t.txt", "--json", env={"PYTHONIOENCODING": encoding}).ok()
    assert told.json["symbols"] == "\n aenv\u00ef\u20ac\U0001f600"


def test_info_of_an_empty_name_is_not_of_the_folder_that_we_are_in(charrnn, trained):
    in_process("info", "", cwd=trained).fails(2, "the name of a text is empty")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("named", [True, False], ids=["named", "found"])
def test_info_tells_of_the_mark_that_a_decoder_takes_for_itself(charrnn, tmp_path, encoding, named):
    (tmp_path / "t.txt").write_bytes("plain words\n".encode(encoding))
    words = ["--encoding", encoding] * named
    facts = charrnn("info", "t.txt", *words, "--json").ok().json
    assert (facts["byte_order_mark"], facts["characters"]) == ("yes", 12)
    (tmp_path / "t.txt").write_bytes("plain words\n".encode("utf-16-le"))
    assert charrnn("info", "t.txt", "--encoding", "utf-16-le", "--json").ok().json["byte_order_mark"] == "no"


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xef\xbb\xbf"])
def test_info_tells_of_a_mark_among_bytes(charrnn, tmp_path, mark):
    (tmp_path / "t.txt").write_bytes(mark + b"a\xff")
    assert charrnn("info", "t.txt", "--encoding", "bytes", "--json").ok().json["byte_order_mark"] == "yes"
    (tmp_path / "t.txt").write_bytes(b"a\xff" + mark)
    assert charrnn("info", "t.txt", "--encoding", "bytes", "--json").ok().json["byte_order_mark"] == "no"


def test_the_table_has_a_seed_that_can_be_typed_and_rounded_scores(charrnn, train):
    train("-o", "run", "--seed", 2707417074).ok()
    facts = charrnn("info", "run", "--json").ok().json
    rows = dict(re.split("  +", line, maxsplit=1) for line in charrnn("info", "run").ok().text.splitlines())
    assert rows["seed"] == str(facts["seed"]) == "2707417074"
    assert rows["best nats"] == f"{facts['best_nats']:.5g}" != str(facts["best_nats"])
    assert rows["written by"].endswith(", 1 process")
