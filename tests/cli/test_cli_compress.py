"""`charrnn compress` and `decompress`: any file comes back, and what cannot be read says so."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from driving import FOXES

from charrnn.compressing import archive, compression
from charrnn.runs.checkpoint import load

FILES = {
    "its own text": FOXES.encode(),
    "nothing": b"",
    "a byte": b"x",
    "another alphabet": "Однажды, в студёную зимнюю пору\r\n".encode() * 5,
    "no text": random.Random(1).randbytes(300),
    "a mark, line ends of two kinds, no UTF-8": b"\xef\xbb\xbfthe fox\r\nsings\n\xff\xfe\xed\xa0\x80 \xf0\x9d\x84",
    "one byte many times": b"\0" * 700,
}
SCRATCH = ["--from-scratch", "--set", "model.hidden_size=6"]


@pytest.fixture
def there_and_back(charrnn, tmp_path):
    """Compresses bytes and restores them: what is said of the archive, and the archive."""

    def both(data, *how, run=None):
        (tmp_path / "file").write_bytes(data)
        found = charrnn("compress", *([run] if run else []), "file", "-o", "small", "--json", *how).ok()
        charrnn("decompress", *([run] if run else []), "small", "-o", "again").ok()
        assert (tmp_path / "again").read_bytes() == data
        (tmp_path / "again").unlink()
        return found.json, (tmp_path / "small").read_bytes()

    return both


@pytest.mark.parametrize("which", FILES)
@pytest.mark.parametrize("how", [[], ["--dynamic"], ["--rows", "3"], ["--dynamic", "--rows", "2"]])
def test_every_byte_of_any_file_comes_back(there_and_back, trained, which, how):
    there_and_back(FILES[which], *how, run=trained)


@pytest.mark.parametrize("which", FILES)
@pytest.mark.parametrize("how", [[], ["--rows", "3"]])
def test_every_byte_comes_back_without_a_run(there_and_back, which, how):
    there_and_back(FILES[which], *SCRATCH, *how)


def test_a_run_of_bytes_and_one_with_a_byte_fallback_escape_nothing_strange(there_and_back, train, tmp_path):
    (tmp_path / "t.txt").write_bytes(bytes(range(256)) * 8)
    train("-o", "bytes", "--set", "data.encoding=bytes", source="t.txt").ok()
    train("-o", "fallback", "--set", "data.max_vocab=20").ok()
    for run in ("bytes", "fallback"):
        for data in FILES.values():
            assert there_and_back(data, run=run)[0]["escaped"] == 0


def test_the_size_is_the_bits_of_the_model(there_and_back, charrnn, trained):
    """The text ten times: a short one would be half checks."""
    facts, data = there_and_back(FOXES.encode() * 10, run=trained)
    bits = facts["model_bits"] + facts["escape_bits"] + facts["check_bits"]
    assert bits - 16 <= facts["coded_bits"] <= 1.001 * bits + 8  # whole bytes, and the last may be spared
    assert facts["compressed_bytes"] == len(data)
    assert 8 * len(data) == facts["coded_bits"] + facts["head_bits"]
    assert facts["escaped"] == 0


def test_the_bits_are_those_that_eval_reports(there_and_back, charrnn, trained, text):
    score = charrnn("eval", trained, text, "--dynamic", "--json").ok().json
    for found, how in ((score, []), (score["dynamic"], ["--dynamic"])):
        facts, _ = there_and_back(text.read_bytes(), "--rows", "1", *how, run=trained)
        # the first character alone is predicted here and not there
        assert facts["model_bits"] == pytest.approx(found["bits_per_char"] * score["chars"], abs=12)


def test_a_text_that_the_model_knows_is_small(there_and_back, trained):
    _, data = there_and_back(FOXES.encode(), run=trained)
    assert len(data) < len(FOXES) / 3
    assert there_and_back("Однажды в".encode() * 9, run=trained)[0]["escaped"] > 100


def test_a_byte_that_is_changed_is_noticed_wherever_it_is(trained):
    run = load(trained)
    whole = compression.compress(FOXES[:200].encode(), compression.Trained(run), None).data
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(archive.DataError):
            archive.from_bytes(bytes(damaged), "it")
    for damaged in (whole[:-1], whole + b"\0", whole[:20], whole[:8], b"", whole[1:]):
        with pytest.raises(archive.DataError):
            archive.from_bytes(damaged, "it")


def test_a_damaged_archive_is_told_in_one_line(charrnn, trained, tmp_path):
    (tmp_path / "file").write_text(FOXES)
    charrnn("compress", trained, "file", "-o", "small").ok()
    data = bytearray((tmp_path / "small").read_bytes())
    data[len(data) // 2] ^= 16
    (tmp_path / "small").write_bytes(data)
    charrnn("decompress", trained, "small", "-o", "again").fails(3, "small is damaged")
    charrnn("decompress", trained, "file", "-o", "again").fails(3, "file is no archive")
    charrnn("decompress", trained, "nothing", "-o", "again").fails(3, "no such file")
    assert not (tmp_path / "again").exists()


def test_a_later_version_is_no_damage(charrnn, trained, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a fox")
    monkeypatch.setattr(archive, "VERSION", 9)
    charrnn("compress", trained, "file", "-o", "small").ok()
    monkeypatch.undo()
    charrnn("decompress", trained, "small", "-o", "again").fails(3, "format version 9", "update charrnn")


@pytest.mark.parametrize("how", [[], ["--dynamic"]])
def test_another_model_is_refused_by_name(charrnn, trained, train, tmp_path, how):
    (tmp_path / "file").write_text(FOXES)
    charrnn("compress", trained, "file", "-o", "small", *how).ok()
    train("-o", "other", "--set", "model.hidden_size=16").ok()
    charrnn("decompress", "other", "small", "-o", "again").fails(4, "another model, 200 updates old", "has had 12")
    charrnn("decompress", "small", "-o", "again").fails(2, "small was compressed by a trained model")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("how", [[], ["--dynamic"]])
def test_a_machine_that_adds_up_otherwise_is_told_which_wrote_it(charrnn, trained, tmp_path, monkeypatch, how):
    """Here by weights that differ in the last bits, of which the check sum of the model knows nothing."""
    (tmp_path / "file").write_text(FOXES)
    charrnn("compress", trained, "file", "-o", "small", *how).ok()
    predictor = compression.Trained.predictor

    def elsewhere(self, arrangement):
        self.run.weights.vector[...] *= 1 + 1e-5
        return predictor(self, arrangement)

    monkeypatch.setattr(compression.Trained, "predictor", elsewhere)
    charrnn("decompress", trained, "small", "-o", "again").fails(3, "is whole, but", "both are charrnn")
    monkeypatch.setattr(compression, "machine", lambda: "a machine with three legs")
    charrnn("decompress", trained, "small", "-o", "again").fails(3, "numpy", "and this is a machine with three legs")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("how", [["RUN"], ["RUN", "--dynamic"], SCRATCH])
def test_another_process_with_more_threads_reads_it(process, trained, tmp_path, how):
    (tmp_path / "file").write_text(FOXES)
    run = [word.replace("RUN", str(trained)) for word in how]
    process("compress", *run, "file", "-o", "small", env={"OMP_NUM_THREADS": "2"}).ok()
    runs = run[:1] if how[0] == "RUN" else []
    process("decompress", *runs, "small", "-o", "again", env={"OMP_NUM_THREADS": "1"}).ok()
    assert (tmp_path / "again").read_text() == FOXES


def test_through_pipes(charrnn, process, trained, tmp_path):
    small = process("compress", trained, "-", "-o", "-", stdin=FOXES.encode()).ok()
    assert "bits per byte" in small.err
    again = process("decompress", trained, "-", "-o", "-", stdin=small.out).ok()
    assert again.out == FOXES.encode()
    assert not again.err


def test_the_archive_may_be_named_first(charrnn, trained, tmp_path):
    (tmp_path / "file").write_text("a fox")
    charrnn("compress", trained, "file", "-o", "small", "-q").ok()
    charrnn("decompress", "small", trained, "-o", "again").ok()
    assert (tmp_path / "again").read_text() == "a fox"


def test_what_is_there_is_not_overwritten(charrnn, trained, tmp_path):
    (tmp_path / "file").write_text("a fox")
    (tmp_path / "empty").touch()
    charrnn("compress", trained, "file", "-o", "file").fails(2, "file is there already, and is no archive")
    for _ in range(2):  # an archive may be made anew
        charrnn("compress", trained, "file", "-o", "small").ok()
    charrnn("decompress", trained, "small", "-o", "file").fails(2, "file is there already")
    charrnn("decompress", trained, "small", "-o", "empty").ok()
    assert (tmp_path / "empty").read_text() == "a fox"


def test_a_run_is_only_read(charrnn, trained, tmp_path):
    before = {path.name: path.read_bytes() for path in Path(trained).iterdir()}
    (tmp_path / "file").write_text(FOXES)
    charrnn("compress", trained, "file", "-o", "small", "--dynamic").ok()
    charrnn("eval", trained, "file", "--dynamic").ok()
    assert {path.name: path.read_bytes() for path in Path(trained).iterdir()} == before


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["RUN"], "a run and a file are needed"),
        (["RUN", "file", "file"], "a run and a file are needed"),
        (["--from-scratch", "RUN", "file"], "takes a file alone"),
        (["--from-scratch", "file", "--dynamic"], "learns as it goes without --dynamic"),
        (["RUN", "file", "--set", "model.hidden_size=3"], "a configuration is for --from-scratch"),
        (["RUN", "file", "--dynamic-rate", "0.1"], "add --dynamic"),
        (["RUN", "file", "--dynamic", "--dynamic-rate", "nan"], "no number"),
        (["--from-scratch", "file", "--set", "model.bidirectional=true"], "model.bidirectional"),
        (["RUN", "file", "-o", "-", "--json"], "would both be on stdout"),
    ],
)
def test_what_does_not_go_together_is_said(charrnn, trained, tmp_path, words, part):
    (tmp_path / "file").write_text("a fox")
    out = [] if "-o" in words else ["-o", "small"]
    charrnn("compress", *(word.replace("RUN", str(trained)) for word in words), *out).fails(2, part)
    assert not (tmp_path / "small").exists()


def test_a_run_that_predicts_no_text_is_refused(charrnn, train, tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{n % 2}\tnumber {n}\n" for n in range(80)))
    train("-o", "labels", "--set", "task.name=classify", source="pairs.tsv").ok()
    charrnn("compress", "labels", "pairs.tsv", "-o", "small").fails(2, "language models of one text")
    charrnn("eval", "labels", "pairs.tsv", "--dynamic").fails(2, "--dynamic is not for a run of the task classify")


def test_an_archive_is_not_written_to_a_terminal(charrnn, trained, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a fox")
    monkeypatch.setattr("charrnn.cli.whole_files.sys", type("Sys", (), {"stdout": sys.__stdout__, "stdin": sys.stdin}))
    monkeypatch.setattr(sys.__stdout__, "isatty", lambda: True, raising=False)
    charrnn("compress", trained, "file", "-o", "-").fails(2, "to the terminal")
