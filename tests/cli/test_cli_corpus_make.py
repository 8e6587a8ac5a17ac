"""`charrnn corpus make`: what it writes, and what it refuses."""

from __future__ import annotations

import pytest

from charrnn.text.making import dates, sums, to_tsv


def written(path):
    return path.read_bytes().decode("utf-8")


def test_sums_are_made_as_the_options_say(charrnn, tmp_path):
    words = ["--rows", 20, "--digits", 2, "--reverse", "--seed", 7]
    result = charrnn("corpus", "make", "sums", "-o", "s.tsv", *words).ok()
    assert result.err == "20 pairs in s.tsv\n"
    assert not result.out
    assert written(tmp_path / "s.tsv") == "".join(to_tsv(sums(20, 2, 7, reverse=True)))


def test_dates_are_made(charrnn, tmp_path):
    charrnn("corpus", "make", "dates", "-o", "d.tsv", "--rows", 20).ok()
    assert written(tmp_path / "d.tsv") == "".join(to_tsv(dates(20, 0)))


def test_without_options_there_are_fifty_thousand_sums_of_three_digits(charrnn, tmp_path):
    charrnn("corpus", "make", "sums", "-o", "s.tsv").ok()
    sources = [line.partition("\t")[0] for line in written(tmp_path / "s.tsv").splitlines()]
    assert len(sources) == 50_000
    assert max(map(len, sources)) == 7


def test_capitals_are_made_of_a_file_and_of_standard_input(charrnn, tmp_path):
    text = "Éa\tB\n\nC\\\r\nlast"
    (tmp_path / "t.txt").write_bytes(text.encode())
    charrnn("corpus", "make", "capitals", "t.txt", "-o", "c.tsv").ok()
    assert written(tmp_path / "c.tsv") == "éa\\tb\tÉa\\tB\nc\\\\\tC\\\\\nlast\tlast\n"
    charrnn("corpus", "make", "capitals", "-", "-o", "d.tsv", stdin=text.encode()).ok()
    assert written(tmp_path / "d.tsv") == written(tmp_path / "c.tsv")


def test_capitals_are_made_of_as_many_lines_of_a_corpus(charrnn, tmp_path):
    charrnn("corpus", "make", "capitals", "harbour", "-o", "c.tsv", "--rows", 2).ok()
    first = "THE HARBOUR BOOK", "Being a Miscellany of Sallow Quay, Part One"
    assert written(tmp_path / "c.tsv") == "".join(f"{line.lower()}\t{line}\n" for line in first)


def test_a_byte_order_mark_is_not_part_of_the_first_line(charrnn, tmp_path):
    (tmp_path / "t.txt").write_bytes("\ufeffAb\nC\n".encode())
    charrnn("corpus", "make", "capitals", "t.txt", "-o", "c.tsv").ok()
    assert written(tmp_path / "c.tsv") == "ab\tAb\nc\tC\n"


def test_without_a_kind_the_kinds_are_listed(charrnn):
    charrnn("corpus", "make", "-o", "c.tsv").fails(2, "Choose from: sums, capitals, dates; see")


def test_a_file_that_is_there_is_not_overwritten(charrnn, tmp_path):
    (tmp_path / "s.tsv").write_text("mine")
    charrnn("corpus", "make", "sums", "-o", "s.tsv").fails(2, "s.tsv is there already", "another name")
    assert written(tmp_path / "s.tsv") == "mine"


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (["capitals"], 2, ["TEXT", "harbour"]),
        (["capitals", "nowhere.txt"], 3, ["nowhere.txt", "no such file"]),
        (["capitals", "harbour", "--seed", "0"], 2, ["--seed", "capitals"]),
        (["capitals", "harbour", "--digits", "3"], 2, ["--digits", "capitals"]),
        (["dates", "harbour"], 2, ["TEXT", "dates"]),
        (["dates", "--reverse"], 2, ["--reverse", "dates"]),
        (["sums", "harbour"], 2, ["TEXT", "sums"]),
        (["sums", "--digits", "1", "--rows", "101"], 2, ["there are 100 sums"]),
        (["sums", "--digits", "10"], 2, ["--digits"]),
        (["sums", "--rows", "0"], 2, ["--rows"]),
        (["dates", "--rows", "1000000"], 2, ["such dates"]),
        (["poems"], 2, ["poems"]),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,
)
def test_what_cannot_be_made_is_an_error_and_leaves_no_file(charrnn, tmp_path, words, code, parts):
    charrnn("corpus", "make", *words, "-o", "out.tsv").fails(code, *parts)
    assert not (tmp_path / "out.tsv").exists()


def test_a_folder_that_is_not_there_is_an_output_error(charrnn):
    charrnn("corpus", "make", "dates", "--rows", "1", "-o", "nowhere/d.tsv").fails(6, "nowhere/d.tsv")


@pytest.mark.parametrize("name", ["words", "capitals", "dates"])
def test_the_shipped_pairs_are_corpora_by_name(charrnn, name):
    assert charrnn("corpus", "path", name).ok().text.rstrip().endswith(f"{name}.tsv")
    assert f"* {name} " in charrnn("corpus", "list").ok().text
