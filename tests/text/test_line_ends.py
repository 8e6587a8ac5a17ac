"""Line ends become one where that is asked for, wherever a text is cut, and are counted as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.resources import CORPORA
from charrnn.text import codes
from charrnn.text.corpus import Library
from charrnn.text.documents import read_documents
from charrnn.text.encoding import Reader, decode
from charrnn.text.lines import count_line_ends, lines_of
from charrnn.text.options import DataConfig
from charrnn.text.pairs import read_pairs
from charrnn.text.vocabulary import Vocabulary


def read(files, newlines, size, encoding="utf-8"):
    """The characters of some files, of which `size` bytes are read at a time."""
    with Reader(encoding, newlines=newlines) as reader:
        for data in files:
            reader.begin("file")
            for start in range(0, len(data), size):
                reader.feed(data[start : start + size])
            reader.feed(b"")
        return "".join(reader.text("files").pieces())


MIXED = st.text(st.sampled_from("a\r\né"), min_size=1)


@given(st.lists(MIXED, min_size=1, max_size=3), st.integers(1, 5), st.sampled_from(["utf-8", "latin-1", "utf-16-le"]))
def test_line_ends_become_one_wherever_chunks_end(texts, size, encoding):
    expected = "".join(text.replace("\r\n", "\n").replace("\r", "\n") for text in texts)
    files = [text.encode(encoding) for text in texts]
    assert read(files, "lf", size, encoding) == expected
    assert read(files, "keep", size, encoding) == "".join(texts)


@given(MIXED, st.integers(1, 5))
def test_line_ends_are_counted_across_pieces(text, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codes, "BLOCK", size)
        counts = count_line_ends(decode([text.encode()], "t", "utf-8"))
    both = text.count("\r\n")
    assert counts == {"LF": text.count("\n") - both, "CRLF": both, "CR": text.count("\r") - both}


def test_a_return_and_the_feed_of_the_next_file_are_two_ends():
    assert read([b"a\r", b"\nb"], "lf", 9) == "a\n\nb"


def test_returns_alone_end_lines_and_among_others_they_are_characters():
    assert lines_of(decode([b"a\rb\r"], "t", "utf-8")) == ["a", "b"]
    assert lines_of(decode([b"a\rb\n"], "t", "utf-8")) == ["a\rb"]


@pytest.mark.parametrize(("end", "newlines"), [("\r", "keep"), ("\r", "lf"), ("\r\n", "lf"), ("\n", "keep")])
def test_pairs_and_documents_have_lines_of_every_kind(tmp_path, end, newlines):
    library, data = Library(CORPORA, tmp_path), DataConfig(newlines=newlines, documents="lines")
    (tmp_path / "t").write_bytes(f"a\tb{end}c\td{end}".encode())
    assert read_pairs(library, [str(tmp_path / "t")], DataConfig(newlines=newlines)).first == ["a", "c"]
    assert read_documents(library, [str(tmp_path / "t")], data).texts == ["a\tb", "c\td"]


def test_a_mark_that_a_model_knows_is_put_back_and_only_then():
    text = decode([b"\xef\xbb\xbfab" * 1], "t", "utf-8")
    assert "".join(text.pieces()) == "ab"
    again = text.with_mark()
    assert ("".join(again.pieces()), again.symbols) == ("\ufeffab", "ab\ufeff")
    assert len(again.ids(Vocabulary("ab\ufeff"))) == 3
