"""Pairs of texts from tables, JSON and folders, and where they are wrong."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import ConfigError, DataError
from charrnn.resources import CORPORA
from charrnn.text.corpus import Library
from charrnn.text.inputs import read_inputs
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs, escape, read_pairs, refuse_columns_of_objects
from charrnn.text.rows import unescape

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text("\\tn\t\n r", max_size=8)


@pytest.fixture
def library(tmp_path):
    return Library(CORPORA, tmp_path / "cache")


@pytest.fixture
def read(library, tmp_path):
    """Reads what is written to a file of this name: `read(bytes, "pairs.tsv", columns=[1, 2])`."""

    def read(data, name="pairs.tsv", names=("label", "text"), **keys):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_pairs(library, str(path), DataConfig(**keys), names)

    return read


def both(pairs):
    return list(zip(pairs.first, pairs.second, strict=True))


CATS = [("cat", "miaow"), ("dog", "wau wau")]


# --- tables ---


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\r\n", "\n\n\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_of_windows_a_mark_and_a_missing_last_line_end_are_nothing(read, line_end, last, mark):
    assert both(read(f"{mark}cat\tmiaow{line_end}dog\twau wau{last}")) == CATS


def test_a_carriage_return_or_a_strange_line_end_within_a_line_is_a_character(read):
    text = "a\rb\x0bc\u2028d\x85"
    assert both(read(f"cat\t{text}\ndog\tx\r\r\n")) == [("cat", text), ("dog", "x\r")]


def test_escapes_are_a_tab_a_line_end_and_a_backslash_and_nothing_else_is_one(read):
    assert both(read(r"a" + "\t" + r"\t|\n|\\|\\n|\x|\r|\"|C:\Users" + "\\\n")) == [
        ("a", '\t|\n|\\|\\n|\\x|\\r|\\"|C:\\Users\\')
    ]


@given(TEXT)
def test_an_escaped_text_is_one_cell_of_one_line_and_comes_back(text):
    assert not set("\t\n") & set(escape(text))
    assert unescape(escape(text)) == text


def test_an_empty_line_is_nothing_but_counts(read):
    pairs = read("\ncat\tmiaow\n\r\n\ndog\twau wau\n")
    assert both(pairs) == CATS
    assert [pairs.place(i).rpartition(":")[2] for i in range(len(pairs))] == ["2", "5"]


def test_pairs_know_what_was_read_and_where_each_stands(read, tmp_path):
    data = b"cat\tmiaow\ndog\twau wau\n"
    pairs = read(data)
    assert (pairs.name, pairs.size, pairs.sha256) == (
        str(tmp_path / "pairs.tsv"),
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    assert pairs.place(1) == f"{tmp_path}/pairs.tsv:2"
    assert Pairs("made up", 0, "", ["a"], ["b"]).place(0) == "made up:1"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_two_columns_can_be_chosen_of_more_in_any_order(read, line_end):
    data = line_end.join(["Go.\tGeh.\tCC-BY 1", "Hi.\tHallo!\t", ""])
    assert both(read(data, columns=(1, 2))) == [("Go.", "Geh."), ("Hi.", "Hallo!")]
    assert both(read(data, columns=(2, 1))) == [("Geh.", "Go."), ("Hallo!", "Hi.")]


@pytest.mark.parametrize(
    ("data", "keys", "complaint"),
    [
        ("a\tb\nno tab", {}, "2:7: no tab; write label, a tab, text"),
        ("a\tb\n \n", {}, "2:2: no tab"),
        ("ab\tcde\tf\n", {}, "1:8: 3 columns and not two; write a tab"),
        ("a\tb\nc\t\n", {}, "2:3: the text is empty"),
        ("a\tb\n\n\tc\r\n", {}, "3:1: the label is empty"),
        ("a\tb\tc\nd\te\n", {"columns": (1, 3)}, "2:4: no column 3, from which the text is read, as data.columns says"),
        ("a\tb\t\n", {"columns": (1, 3)}, "1:5: the text is empty"),
        ("\n\r\n", {}, "has empty lines alone"),
        ("\nlabel\ttext\na\tb\n", {}, "2:1: names of columns, and no pair; take this line out"),
        ("id\tText\tLabel \r\n1\ta\tb\r\n", {"columns": (3, 2)}, "1:1: names of columns"),
        ("", {}, "is empty"),
        (b"a\tb\nc\t\xff", {}, "is not utf-8: byte 0xff at offset 6 (line 2)"),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_file_line_and_column(read, tmp_path, data, keys, complaint):
    with pytest.raises(DataError) as error:
        read(data, **keys)
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/pairs.tsv")
    assert complaint in message
    assert "; " in message
    assert "\n" not in message


def test_names_of_columns_are_texts_in_any_other_line_and_alone(read):
    for pairs in ([("a", "b"), ("label", "text")], [("label", "b")], [("text", "label")]):
        assert both(read("".join(f"{first}\t{second}\n" for first, second in pairs))) == pairs


def test_a_byte_is_a_character_where_the_encoding_says_so(read):
    assert both(read(b"\xef\xbb\xbfa\t\xff\xfe\r\nb\t\x00", encoding="bytes")) == [("a", "ÿþ"), ("b", "\0")]
    assert both(read("a\té".encode("utf-16"), encoding="utf-16")) == [("a", "é")]


# --- JSON ---

ROWS = '{"label": "cat", "text": "miaow"}\r\n\n{"id": [3], "text": "wau wau", "label": "dog"}'


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.ndjson", "PAIRS.JSONL", "pairs.txt", "pairs.tsv"])
def test_json_is_known_by_the_name_of_the_file_or_by_its_first_line(read, name):
    assert both(read(ROWS, name)) == CATS


def test_json_is_read_from_standard_input_too(library, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ROWS.encode())))
    pairs = read_pairs(library, "-", DataConfig())
    assert both(pairs) == CATS
    assert pairs.place(1) == "standard input:3"


def test_a_table_may_have_what_looks_like_json(read):
    assert both(read('{"label": 1\t"text"}\n{}\t[]')) == [('{"label": 1', '"text"}'), ("{}", "[]")]
    assert both(read('{"label":\t"text"}')) == [('{"label":', '"text"}')]
    assert both(read('{"label":\t"a", "text": "b"}')) == [("a", "b")]


def test_an_object_without_the_keys_is_said_to_lack_them_and_not_a_tab(read):
    with pytest.raises(DataError, match="1:1: the key 'text' is missing"):
        read('{"label": "a", "sentence": "b"}', "pairs.txt")


@given(TEXT.filter(bool), TEXT.filter(bool))
def test_any_texts_come_back_from_json_and_from_a_table(tmp_path_factory, first, second):
    folder = tmp_path_factory.mktemp("pairs")
    library = Library(CORPORA, folder)
    row = json.dumps({"source": first, "target": second})
    (folder / "a.jsonl").write_text(row)
    names = "source", "target"
    assert both(read_pairs(library, str(folder / "a.jsonl"), DataConfig(), names)) == [(first, second)]
    (folder / "a.tsv").write_bytes(f"x\ty\n{escape(first)}\t{escape(second)}\n".encode())
    table = read_pairs(library, str(folder / "a.tsv"), DataConfig(), names)
    assert both(table)[1] == (first, second.removesuffix("\r"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"label": "a" "text": "b"}', '2:15: not JSON: Expecting \',\' delimiter; write {"label": "...", '),
        ("a\tb", "2:1: not JSON"),
        ("[" * 100_000, "2:1: not JSON"),
        ("9" * 10_000, "2:1: not JSON: a number is too long"),
        ('["a", "b"]', "2:1: not an object"),
        ('{"label": "a", "test": "b"}', "2:1: the key 'text' is missing"),
        ('{"label": 3, "text": "b"}', "2:2: the label is no string"),
        ('{"label": "a", "text": null}', "2:16: the text is no string"),
        ('{"label": "a", "text": ""}', "2:16: the text is empty"),
        (r'{"label": "a", "text": "\ud800"}', "2:16: the text has the lone surrogate U+D800"),
    ],
)
def test_what_is_wrong_in_json_is_said_with_file_line_and_column(read, tmp_path, line, complaint):
    with pytest.raises(DataError) as error:
        read('{"label": "a", "text": "b"}\n' + line, "pairs.jsonl")
    assert str(error.value).startswith(f"{tmp_path}/pairs.jsonl:{complaint}")
    assert len(str(error.value)) < 300 + len(str(tmp_path))


def test_what_is_no_byte_is_refused_where_bytes_are_read(read):
    assert both(read(r'{"label": "€", "text": "\u00ff"}'.replace("€", "a"), "a.jsonl", encoding="bytes")) == [
        ("a", "ÿ")
    ]
    with pytest.raises(DataError, match="the text has '€', which is no byte"):
        read(r'{"label": "a", "text": "\u20ac"}', "a.jsonl", encoding="bytes")


@given(st.binary(max_size=40))
def test_no_bytes_whatever_are_worse_than_an_error_of_data(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("a.tsv", "a.jsonl"):
        (folder / name).write_bytes(data)
        for encoding in ("utf-8", "bytes"):
            try:
                pairs = read_pairs(Library(CORPORA, folder), str(folder / name), DataConfig(encoding=encoding))
            except DataError:
                continue
            assert len(pairs.first) == len(pairs.second) == len(pairs.lines) > 0


# --- a folder ---


@pytest.fixture
def languages(tmp_path):
    folder = tmp_path / "languages"
    folder.mkdir()
    (folder / "Scottish.txt").write_bytes("\ufeffSmith\r\n\nBrown".encode())
    (folder / "Czech.txt").write_text("Adam\\tsky\n", "utf-8")
    (folder / ".hidden").write_bytes(b"\xff")
    return folder


def test_a_folder_has_a_file_for_each_label_with_a_text_in_each_line(library, languages):
    pairs = read_pairs(library, str(languages), DataConfig(), folder=True)
    assert both(pairs) == [("Czech", "Adam\tsky"), ("Scottish", "Smith"), ("Scottish", "Brown")]
    assert [pairs.place(i) for i in range(3)] == [
        f"{languages}/{place}" for place in ("Czech.txt:1", "Scottish.txt:1", "Scottish.txt:3")
    ]
    assert pairs.name == str(languages)
    assert pairs.size == sum(len(path.read_bytes()) for path in languages.glob("*.txt"))


def test_the_checksum_of_a_folder_changes_with_a_text_or_a_label(library, languages):
    def checksum():
        return read_pairs(library, str(languages), DataConfig(), folder=True).sha256

    before = checksum()
    (languages / "Czech.txt").rename(languages / "Polish.txt")
    renamed = checksum()
    (languages / "Polish.txt").write_text("Adamski", "utf-8")
    assert len({before, renamed, checksum()}) == 3


def test_a_folder_is_refused_where_none_is_meant_or_its_labels_are_unclear(library, languages, tmp_path):
    with pytest.raises(DataError, match=r"Czech\.txt:1:10: no tab"):
        read_pairs(library, str(languages), DataConfig())
    (languages / "Czech.tsv").write_text("x", "utf-8")
    with pytest.raises(DataError, match="are both for the label 'Czech'"):
        read_pairs(library, str(languages), DataConfig(), folder=True)
    (languages / "Czech.d").mkdir()
    with pytest.raises(DataError, match=r"Czech\.d is a folder"):
        read_pairs(library, str(languages), DataConfig(), folder=True)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="has no files"):
        read_pairs(library, str(tmp_path / "nothing"), DataConfig(), folder=True)


# --- files for validation and test ---


def test_files_for_validation_and_test_are_read_along_and_counted(read, tmp_path):
    alone = read("cat\tmiaow\n")
    (tmp_path / "v.jsonl").write_text(ROWS)
    (tmp_path / "t.tsv").write_text("cow\tmoo\n")
    files = {"validation": str(tmp_path / "v.jsonl"), "test": str(tmp_path / "t.tsv")}
    pairs = read("cat\tmiaow\n", **files)
    assert both(pairs.validation) == CATS
    assert both(pairs.test) == [("cow", "moo")]
    assert pairs.test.place(0) == f"{files['test']}:1"
    assert pairs.size == alone.size + pairs.validation.size + pairs.test.size
    swapped = read("cat\tmiaow\n", validation=files["test"], test=files["validation"])
    one = read("cat\tmiaow\n", test=files["test"])
    assert len({alone.sha256, pairs.sha256, swapped.sha256, one.sha256}) == 4
    assert read("cat\tmiaow\n", **files) == pairs


def test_what_is_wrong_in_a_file_for_test_is_said_of_that_file(read, tmp_path):
    (tmp_path / "t.tsv").write_text("cow\tmoo\nmoo")
    with pytest.raises(DataError, match=r"t\.tsv:2:4: no tab"):
        read("cat\tmiaow\n", test=str(tmp_path / "t.tsv"))


# --- what is to be predicted from ---


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_each_line_is_an_input_and_an_empty_one_too(library, tmp_path, mark, line_end, last):
    lines = ["a", "", "b\\tc", " ", "\\", "d"]
    (tmp_path / "in").write_bytes((mark + line_end.join(lines) + line_end * last).encode())
    assert list(read_inputs(library, str(tmp_path / "in"), "utf-8")) == ["a", "", "b\tc", " ", "\\", "d"]


@pytest.mark.parametrize(
    ("data", "inputs"), [("", []), ("\ufeff", []), ("\n", [""]), ("\r\n\r\n", ["", ""]), ("\na", ["", "a"])]
)
def test_a_file_of_nothing_has_no_inputs_and_one_of_line_ends_empty_ones(library, tmp_path, data, inputs):
    (tmp_path / "in").write_bytes(data.encode())
    assert list(read_inputs(library, str(tmp_path / "in"), "utf-8")) == inputs


@given(st.lists(TEXT))
def test_inputs_come_back_as_many_and_as_they_were(tmp_path_factory, inputs):
    path = tmp_path_factory.mktemp("inputs") / "in"
    path.write_bytes("".join(escape(text) + "\n" for text in inputs).encode())
    expected = [text.removesuffix("\r") for text in inputs]
    if inputs and inputs[0].startswith("\ufeff"):
        expected[0] = expected[0][1:]
    assert list(read_inputs(Library(CORPORA, path.parent), str(path), "utf-8")) == expected


def test_inputs_that_cannot_be_read_are_an_error(library, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_inputs(library, str(tmp_path / "in"), "utf-8")


@pytest.mark.parametrize("key", ["validation", "test"])
def test_a_part_that_is_nowhere_is_named_by_its_key(library, tmp_path, key):
    (tmp_path / "pairs.tsv").write_text("a\tb\n")
    with pytest.raises(DataError, match=f"data.{key} is nowhere.tsv, and there is no such file; give its path as seen"):
        read_pairs(library, [str(tmp_path / "pairs.tsv")], DataConfig(**{key: "nowhere.tsv"}))


def test_columns_of_objects_are_refused():
    refuse_columns_of_objects("pairs.tsv", DataConfig(columns=(1, 2)))
    refuse_columns_of_objects("pairs.jsonl", DataConfig())
    with pytest.raises(ConfigError, match=r"pairs\.jsonl has objects"):
        refuse_columns_of_objects("pairs.jsonl", DataConfig(columns=(1, 2)))
