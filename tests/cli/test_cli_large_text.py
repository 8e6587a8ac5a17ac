"""A text too large for memory is the same text: training, resumption and evaluation from disk."""

from __future__ import annotations

import pytest

from charrnn.text import codes


@pytest.fixture
def on_disk(monkeypatch):
    """From now on, every text is too large."""
    return lambda: monkeypatch.setattr(codes, "IN_MEMORY", 0)


@pytest.mark.parametrize("split_by", ["tail", "columns"])
def test_training_from_disk_gives_the_same_bytes_and_leaves_nothing_behind(
    train, on_disk, tmp_path, contents, split_by
):
    words = ["--set", f"data.split_by={split_by}"]
    train("-o", "memory", *words).ok()
    on_disk()
    train("-o", "disk", *words).ok()
    for name in ("last.npz", "best.npz"):
        assert contents(tmp_path / "disk" / name) == contents(tmp_path / "memory" / name)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_run_goes_on_from_disk_as_it_would_have_from_memory(charrnn, train, on_disk, tmp_path, contents):
    train("-o", "whole").ok()
    train("-o", "parts", "--set", "train.iterations=6").ok()
    on_disk()
    charrnn("train", "-o", "parts", "--resume", "-q", "--set", "train.iterations=12").ok()
    assert contents(tmp_path / "parts" / "last.npz") == contents(tmp_path / "whole" / "last.npz")


@pytest.mark.parametrize("words", [[], ["--split", "validation"], ["--heat", "page.html"]], ids=str)
def test_evaluation_from_disk_says_the_same(charrnn, trained, text, on_disk, words):
    before = charrnn("eval", trained, text, "--json", *words).ok().out
    on_disk()
    assert charrnn("eval", trained, text, "--json", *words).ok().out == before


def test_a_mean_is_the_same_with_its_page_and_without(charrnn, trained, text):
    one, other = (charrnn("eval", trained, text, "--json", *w).ok().out for w in ([], ["--heat", "page.html"]))
    assert one == other


@pytest.mark.parametrize("command", ["train", "eval", "info"])
def test_a_cache_that_cannot_be_written_is_an_output_error(charrnn, trained, text, on_disk, tmp_path, command):
    (tmp_path / "cache").write_text("a file where the folder should be")
    on_disk()
    charrnn(command, *[trained] * (command == "eval"), text).fails(6, "cannot write", str(tmp_path / "cache"))
    assert not (tmp_path / "runs").exists()


def test_facts_of_a_text_are_true_across_its_pieces(charrnn, tmp_path, monkeypatch):
    (tmp_path / "t.txt").write_bytes("\ufeffa\r\n\r\r\nb\nc\r\r\n\r\n€".encode())
    whole = charrnn("info", "t.txt", "--json").ok().json
    assert (whole["lines"], whole["line_ends"], whole["byte_order_mark"]) == (7, "mixed: 1 LF, 4 CRLF, 2 CR", "yes")
    for size in (4, 5, 6, 7):  # of pieces
        monkeypatch.setattr(codes, "BLOCK", size)
        assert charrnn("info", "t.txt", "--json").ok().json == whole
