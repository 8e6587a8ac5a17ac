"""Documents from lines, files and separators, and their batches: each is read once an epoch, from its beginning on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.resources import CORPORA
from charrnn.text.corpus import Library
from charrnn.text.documents import DocumentBatches, Documents, cut, read_documents
from charrnn.text.items import alike_up_to, encode_items
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs
from charrnn.text.vocabulary import Vocabulary


@pytest.fixture
def library(tmp_path):
    return Library(CORPORA, tmp_path / "cache")


@pytest.fixture
def read(library, tmp_path):
    def read(data, documents, **keys):
        (tmp_path / "text").write_bytes(data.encode())
        return read_documents(library, str(tmp_path / "text"), DataConfig(documents=documents, **keys))

    return read


# --- reading ---


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_each_line_is_a_document_but_for_empty_ones(read, line_end, last, mark):
    documents = read(f"{mark}one{line_end}{line_end}t\\two {line_end}three{last}", "lines")
    assert documents.texts == ["one", "t\\two ", "three"]


@pytest.mark.parametrize("last", ["", "\n", "\n\n", "\n\n\n"])
@pytest.mark.parametrize("windows", [False, True])
def test_documents_stand_between_empty_lines_with_no_line_end_at_their_ends(read, last, windows):
    text = f"\n\none\nmore\n\ntwo\n\n\n\n\nthree{last}"
    documents = read(text.replace("\n", "\r\n") if windows else text, "\n\n")
    assert documents.texts == ["one\nmore", "two", "three"]


@pytest.mark.parametrize("last", ["", "\n", "\n%%", "\n%%\n"])
def test_documents_stand_between_the_separators_of_fortune(read, last):
    documents = read(f"one\nmore\n%%\n%%\n100%{last}", "%%\n")
    assert [text.rstrip("\n") for text in documents.texts] == ["one\nmore", "100%"]


@given(st.lists(st.text("ab ", min_size=1), min_size=1), st.sampled_from(["\n\n", "|", "%%\n", "\n--\n"]))
def test_documents_that_were_joined_come_back(texts, separator):
    assert cut(separator.join(texts), separator) == texts


def test_a_text_without_the_separator_is_one_document(read):
    assert read("one\ntwo", "%%\n").texts == ["one\ntwo"]


def test_each_file_of_a_folder_is_a_document_in_the_order_of_their_names(library, tmp_path):
    folder = tmp_path / "songs"
    folder.mkdir()
    for name, text in (("b.abc", "second\r\n"), ("a.abc", "\ufefffirst"), ("c.abc", ""), (".x", "hidden")):
        (folder / name).write_bytes(text.encode())
    documents = read_documents(library, str(folder), DataConfig(documents="files"))
    assert documents.texts == ["first", "second\r\n"]
    assert (documents.name, documents.size) == (str(folder), 16)
    (folder / "a.abc").write_text("other")
    assert read_documents(library, str(folder), DataConfig(documents="files")).sha256 != documents.sha256


@pytest.mark.parametrize("documents", ["lines", "\n\n", "%"])
def test_a_text_without_documents_is_refused(read, documents):
    with pytest.raises(DataError, match="has no documents"):
        read({"%": "%%"}.get(documents, "\n\n\r\n"), documents)


def test_what_is_no_folder_of_texts_is_refused(library, tmp_path):
    data = DataConfig(documents="files")
    with pytest.raises(DataError, match="no such file"):
        read_documents(library, str(tmp_path / "none"), data)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "empty").touch()
    with pytest.raises(DataError, match="folder has no characters"):
        read_documents(library, str(tmp_path / "folder"), data)


def test_files_for_validation_and_test_are_cut_alike_and_counted(read, tmp_path):
    (tmp_path / "v").write_text("v1\nv2")
    alone, both = read("one", "lines"), read("one", "lines", validation=str(tmp_path / "v"), test=str(tmp_path / "v"))
    assert both.validation.texts == both.test.texts == ["v1", "v2"]
    assert (alone.size, both.size) == (3, 13)
    assert alone.sha256 != both.sha256


def test_the_texts_of_pairs_are_documents_with_labels():
    pairs = Pairs("p", 9, "sha", ["cat"], ["miaow"], test=Pairs("t", 3, "sha t", ["dog"], ["wau"]))
    documents = Documents.of_pairs(pairs)
    assert documents == Documents("p", 9, "sha", ["miaow"], ["cat"], test=Documents("t", 3, "sha t", ["wau"], ["dog"]))


# --- batches ---

BOUNDARY = 9
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 8), st.integers(0, 3))  # batch_size, seq_length, seed
TEXTS = st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=30), min_size=1, max_size=20)


def batches_of(texts, sizes, labels=None):
    return DocumentBatches.of([np.array(text, np.uint8) for text in texts], BOUNDARY, *sizes, labels)


@given(TEXTS, SIZES)
def test_every_document_is_read_once_an_epoch_from_begin_to_end(texts, sizes):
    batches = batches_of(texts, sizes)
    for epoch in range(3):
        x, y = [[[] for _ in texts] for _ in range(2)]
        for i in range(epoch * len(batches), (epoch + 1) * len(batches)):
            batch, (rows, start) = batches.batch(i), batches.rows(i)
            lengths = np.full(len(rows), len(batch.x)) if batch.lengths is None else batch.lengths
            for b, document in enumerate(rows.tolist()):
                assert document >= 0 or lengths[b] == 0
                if lengths[b]:
                    assert len(x[document]) == start[b]
                    x[document] += batch.x[: lengths[b], b].tolist()
                    y[document] += batch.y[: lengths[b], b].tolist()
        assert x == [[BOUNDARY, *text] for text in texts]
        assert y == [[*text, BOUNDARY] for text in texts]


@given(TEXTS, SIZES)
def test_what_is_padded_is_0_counts_for_nothing_and_is_told(texts, sizes):
    batches = batches_of(texts, sizes)
    for batch in map(batches.batch, range(2 * len(batches))):
        assert batch.x.shape == batch.y.shape
        assert (batch.weights is None) == (batch.lengths is None)
        if batch.lengths is not None:
            assert batch.lengths.min() < batch.lengths.max() == len(batch.x)
            padding = np.arange(len(batch.x))[:, None] >= batch.lengths
            np.testing.assert_array_equal(batch.weights == 0, padding)
            assert set(np.unique(batch.weights)) <= {0, 1}
            assert not batch.x[padding].any()
            assert not batch.y[padding].any()


@given(TEXTS, SIZES)
def test_the_windows_of_a_long_document_follow_each_other_in_its_row(texts, sizes):
    batches = batches_of(texts, sizes)
    B, T, _ = sizes
    for epoch in range(2):
        due = [None] * B  # the document that each row is in, and the step that comes next
        for i in range(epoch * len(batches), (epoch + 1) * len(batches)):
            batch, (rows, start) = batches.batch(i), batches.rows(i)
            if batch.starts is None:  # short ones, which have no part in what the others carry
                steps = batches.lengths[rows].max()
                assert rows.min() >= 0
                assert steps <= T
                assert not start.any()
                assert len(rows) == 1 or steps * len(rows) <= B * T
                continue
            assert len(rows) == B
            assert not (np.diff((rows >= 0).astype(int)) > 0).any()  # rows that read nothing are the last
            np.testing.assert_array_equal(batch.starts, start == 0)
            for b, place in enumerate(zip(rows.tolist(), start.tolist(), strict=True)):
                assert place == (due[b] or (rows[b], 0))
                assert rows[b] < 0 or batches.lengths[rows[b]] > T
                end = start[b] + (len(batch.x) if batch.lengths is None else batch.lengths[b])
                due[b] = (rows[b], end) if rows[b] >= 0 and end < batches.lengths[rows[b]] else None
        assert due == [None] * B


@pytest.mark.parametrize(
    ("steps", "windows"), [(8, [8]), (9, [5, 4]), (16, [8, 8]), (17, [6, 6, 5]), (30, [8, 8, 8, 6])]
)
def test_the_windows_of_a_document_are_few_and_alike(steps, windows):
    batches = batches_of([[0] * (steps - 1)] * 3, (3, 8, 0))
    assert [len(batches.batch(i).x) for i in range(len(batches))] == windows


@given(TEXTS, SIZES)
def test_rows_have_about_as_much_to_read_as_each_other(texts, sizes):
    batches = batches_of(texts, sizes)
    windows = [-(-length // sizes[1]) for length in batches.lengths.tolist() if length > sizes[1]]
    read = [batches.rows(i)[0] for i in range(len(batches)) if batches.batch(i).starts is not None]
    each = (np.array(read).reshape(-1, sizes[0]) >= 0).sum(axis=0)
    assert each.sum() == sum(windows)
    assert each.max() == len(read)
    assert each.max() - each.min() <= max(windows, default=0)


@given(TEXTS, SIZES, st.lists(st.integers(0, 100), min_size=1, max_size=8))
def test_the_batch_of_a_number_is_the_same_whatever_was_asked_before(texts, sizes, numbers):
    labels = np.arange(len(texts)) + 1
    batches = batches_of(texts, sizes, labels)
    for number in [*numbers, *numbers[::-1]]:
        for found, expected in zip(batches.batch(number), batches_of(texts, sizes, labels).batch(number), strict=True):
            np.testing.assert_array_equal(found, expected)


@given(TEXTS, SIZES)
def test_each_row_has_the_label_of_its_document(texts, sizes):
    batches = batches_of(texts, sizes, np.arange(len(texts)) + 1)
    for i in range(len(batches)):
        rows, _ = batches.rows(i)
        np.testing.assert_array_equal(batches.batch(i).labels, rows + 1)
    assert batches_of(texts, sizes).batch(0).labels is None


def test_epochs_differ_in_which_documents_share_a_batch_and_in_their_order():
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 9, n).tolist() for n in rng.integers(1, 40, 200)]
    batches = batches_of(texts, (4, 16, 0))
    epochs = [range(epoch * len(batches), (epoch + 1) * len(batches)) for epoch in range(2)]
    is_long = [[batches.batch(i).starts is not None for i in epoch] for epoch in epochs]
    assert is_long[0] != is_long[1]
    assert sum(is_long[0]) == sum(is_long[1])
    for kind in (True, False):
        first, second = (
            [
                frozenset(batches.rows(i)[0].tolist())
                for i, long in zip(epoch, longs, strict=True)
                if long is kind and (not long or (batches.rows(i)[1] == 0).any())
            ]
            for epoch, longs in zip(epochs, is_long, strict=True)
        )
        assert len(set(first) & set(second)) < len(first) / 4


def test_documents_of_like_length_are_in_no_order_in_their_rows():
    batches = batches_of([[0] * 19] * 40, (4, 10, 0))
    orders = [[batches.rows(epoch * len(batches) + i)[0].tolist() for i in range(len(batches))] for epoch in range(2)]
    assert orders[0] != orders[1]


def test_long_and_longer_documents_come_in_any_order():
    """Else an epoch would end with all that is long."""
    batches = batches_of([[0] * (10 * n % 70 + 15) for n in range(60)], (2, 10, 0))
    lengths = [batches.lengths[batches.rows(i)[0][0]] for i in range(len(batches)) if batches.rows(i)[1][0] == 0]
    middle = len(lengths) // 2
    assert abs(np.mean(lengths[:middle]) - np.mean(lengths[middle:])) < 20


@given(TEXTS, SIZES)
def test_padding_is_what_the_batches_have_beyond_their_documents(texts, sizes):
    batches = batches_of(texts, sizes)
    read = [batches.batch(i) for i in range(len(batches))]
    steps = sum(batch.x.size for batch in read)
    assert batches.padded == pytest.approx(1 - sum(batch.chars for batch in read) / steps)


def test_real_names_of_all_lengths_share_batches_and_the_rest_is_little_padding():
    path = Path(__file__).parents[3] / "shared" / "data" / "pairs" / "names_by_language.tsv"
    if not path.exists():
        pytest.skip("the file is not here")
    names = [line.split("\t")[1] for line in path.read_text("utf-8").splitlines()]
    vocabulary = Vocabulary.of("".join(names))
    batches = DocumentBatches.of(encode_items(vocabulary, names), len(vocabulary), 32, 64, 0)
    assert batches.padded < 0.35
    read = [batches.lengths[batches.rows(n)[0]] for n in range(len(batches))]
    assert np.median([np.ptp(lengths) for lengths in read]) > 5


@pytest.mark.parametrize("padding", [0.0, 0.2, 0.5])
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_lengths_mix_as_far_as_padding_allows(padding, lengths):
    lengths = np.array(lengths)
    alike = alike_up_to(lengths, padding)
    assert (alike >= lengths).all()
    for longest in set(alike):
        assert 1 - lengths[alike == longest].mean() / longest <= padding + 1e-9
    assert (np.diff(alike[np.argsort(lengths, kind="stable")]) >= 0).all()
    assert padding or (alike == lengths).all()
