"""What one command writes another reads, whatever the encoding is of the text that a model learnt from."""

from __future__ import annotations

import codecs

import pytest
from driving import in_process

WORDS = "“Élan” \u2014 naïve café, l\u2019été, dit-il.\nÀ bientôt… ça va?\n"
ENCODINGS = ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "mac-roman", "gb18030"]
MARK = "begins with a byte order mark, which is no part of the text\n"


def words_in(encoding):
    """As many of the words as the encoding can write."""
    try:
        WORDS.encode(encoding)
    except UnicodeEncodeError:
        return WORDS.translate(dict(zip(map(ord, "“”\u2014\u2019…"), '""-\'.', strict=True)))
    return WORDS


@pytest.fixture(scope="session")
def model(shelf, tiny):
    """The directory of a run on a text in an encoding, whose file has the name of that."""

    def run(encoding, *words):
        place = shelf / f"words-{encoding}"
        if not place.exists():
            (shelf / f"{encoding}.txt").write_bytes((words_in(encoding) * 20).encode(encoding))
            given = ["-c", tiny, "-q", "-o", place, "--set", f"data.encoding={encoding}", *words]
            in_process("train", shelf / f"{encoding}.txt", *given, cwd=shelf).ok()
        return place

    return run


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_sample_goes_into_eval_and_into_a_prompt(charrnn, model, tmp_path, encoding):
    run = model(encoding)
    sample = charrnn("sample", run, "-n", 150, "--seed", 3).ok().out
    assert not sample.isascii()
    (tmp_path / "sample.txt").write_bytes(sample)
    score = charrnn("eval", run, "sample.txt", "--json").ok()
    assert (score.json["chars"], score.json["bytes"]) == (149, len(sample.decode()[1:].encode()))
    prompted = charrnn("sample", run, "--prompt-file", "sample.txt", "-n", 0).ok()
    assert prompted.out == sample
    other = not encoding.startswith("utf-8")
    for result in (score, prompted):
        assert ("sample.txt: read as utf-8, though the model's text was" in result.err) == other
        assert len(result.err.splitlines()) == other


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_text_that_a_model_learnt_from_is_read_in_its_own_encoding(charrnn, model, shelf, encoding):
    run, path, text = model(encoding), shelf / f"{encoding}.txt", words_in(encoding) * 20
    score = charrnn("eval", run, path, "--json").ok()
    assert (score.json["chars"], score.err) == (len(text) - 1, "")
    prompted = charrnn("sample", run, "--prompt-file", path, "-n", 0).ok()
    assert (prompted.out.decode(), prompted.err) == (text, "")


@pytest.mark.parametrize("given", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
def test_a_text_in_another_encoding_that_shows_itself_is_read(charrnn, model, tmp_path, encoding, given):
    (tmp_path / "other.txt").write_bytes(words_in(encoding).encode(given))
    assert charrnn("eval", model(encoding), "other.txt", "--json").ok().json["chars"] == len(WORDS) - 1


def test_a_text_of_windows_is_read_as_that_by_a_model_of_latin_1(charrnn, model, tmp_path):
    (tmp_path / "other.txt").write_bytes("“café”".encode("cp1252"))
    charrnn("eval", model("latin-1"), "other.txt").fails(3, "never saw '“' (U+201C), '”' (U+201D)")


def test_what_could_be_both_is_utf_8_and_its_option_reads_it_as_the_model_did(charrnn, train, tmp_path):
    """A model that knows é and the two characters that its bytes are in latin-1."""
    (tmp_path / "both.txt").write_bytes("é Ã© aé\n".encode("latin-1") * 50)
    train("-o", "run", "--set", "data.encoding=latin-1", source="both.txt").ok()
    (tmp_path / "doubtful.txt").write_bytes("aéaé".encode())
    result = charrnn("eval", "run", "doubtful.txt", "--json").ok()
    assert result.json["chars"] == 3
    assert result.err.endswith("to read it as that: --encoding latin-1\n")
    told = charrnn("eval", "run", "doubtful.txt", "--json", "--encoding", "latin-1").ok()
    assert (told.json["chars"], told.err) == (5, "")
    assert charrnn("sample", "run", "--prompt-file", "doubtful.txt", "-n", 0).ok().out == "aéaé".encode()
    prompted = charrnn("sample", "run", "--prompt-file", "doubtful.txt", "-n", 0, "--encoding", "latin-1").ok()
    assert prompted.out.decode() == "aÃ©aÃ©"


def test_the_text_of_the_run_is_never_taken_for_another(charrnn, train, tmp_path):
    data = ("é".encode() + b" a\n") * 60  # valid utf-8, learnt as latin-1
    (tmp_path / "both.txt").write_bytes(data)
    train("-o", "run", "--set", "data.encoding=latin-1", source="both.txt").ok()
    assert charrnn("eval", "run", "both.txt", "--json").ok().json["chars"] == len(data) - 1


def test_a_model_of_bytes_reads_bytes_and_loses_none(charrnn, train, tmp_path):
    data = codecs.BOM_UTF8 + WORDS.encode() * 20
    (tmp_path / "marked.txt").write_bytes(data)
    train("-o", "run", "--set", "data.encoding=bytes", source="marked.txt").ok()
    assert charrnn("info", "run", "--json").ok().json["symbols"].encode("latin-1") == bytes(sorted(set(data)))
    assert charrnn("eval", "run", "marked.txt", "--json").ok().json["chars"] == len(data) - 1
    assert charrnn("sample", "run", "--prompt-file", "marked.txt", "-n", 0).ok().out == data
    charrnn("eval", "run", "marked.txt", "--encoding", "utf-8").fails(2, "the symbols of this run are bytes")


@pytest.mark.parametrize(("encoding", "named"), [("utf-8", "bytes"), ("utf-8", "nothing")])
def test_an_encoding_that_the_run_cannot_have_is_refused(charrnn, model, shelf, encoding, named):
    for command in (["eval", model(encoding), shelf / f"{encoding}.txt"], ["sample", model(encoding), "-n", 1]):
        given = [*command, *(["--prompt-file", shelf / f"{encoding}.txt"] if command[0] == "sample" else [])]
        charrnn(*given, "--encoding", named).fails(2, f"--encoding {named}: ")


@pytest.mark.parametrize("command", ["eval", "sample"])
def test_bytes_that_fit_nothing_name_an_option_that_the_command_has(charrnn, model, tmp_path, command):
    (tmp_path / "odd.txt").write_bytes(b"caf\xe9, na\x93ve")
    words = ["odd.txt"] if command == "eval" else ["--prompt-file", "odd.txt"]
    result = charrnn(command, model("utf-8"), *words)
    result.fails(3 if command == "eval" else 2, "odd.txt is not utf-8: byte 0xe9 at offset 3 (line 1)")
    assert result.err.endswith("name its encoding with `--encoding cp1252`\n")


# --- byte order marks ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "gb18030"])
def test_a_byte_order_mark_is_no_symbol_and_said_once(charrnn, model, tmp_path, encoding):
    """In the text that is learnt, in one that is judged, and in a prompt."""
    (tmp_path / "marked.txt").write_bytes(("\ufeff" + WORDS * 20).encode(encoding))
    trained = charrnn(
        "train", "marked.txt", "-o", "run", "--set", f"data.encoding={encoding}",
        *("--set", "model.hidden_size=4", "--set", "train.iterations=1", "--set", "train.seq_length=8"),
    ).ok()  # fmt: skip
    assert trained.err.count(f"marked.txt {MARK}") == 1
    assert charrnn("info", "run", "--json").ok().json["symbols"] == "".join(sorted(set(WORDS)))
    for words in (["eval", model(encoding), "marked.txt"], ["sample", model(encoding), "--prompt-file", "marked.txt"]):
        assert charrnn(*words).ok().err.count(f"marked.txt {MARK}") == 1


def test_the_marks_of_several_files_go_and_those_within_a_text_stay(charrnn, train, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"\ufeff{name * 200}\n", "utf-8")
    (tmp_path / "c.txt").write_text("c\ufeffc" * 50, "utf-8")
    charrnn("train", "a.txt", "b.txt", "-o", "two", "--set", "train.iterations=1", "--set", "train.seq_length=4").ok()
    assert charrnn("info", "two", "--json").ok().json["symbols"] == "\nab"
    train("-o", "within", source="c.txt").ok()
    assert charrnn("info", "within", "--json").ok().json["symbols"] == "c\ufeff"


# --- what is suspicious though it can be read ---

DOUBTFUL = {
    "utf-16 as utf-8": ("plain words\n".encode("utf-16-le"), "utf-8", "looks like utf-16-le", "utf-16-le"),
    "utf-16 as latin-1": ("plain words\n".encode("utf-16-be"), "latin-1", "looks like utf-16-be", "utf-16-be"),
    "utf-16 as bytes": ("plain words\n".encode("utf-16-le"), "bytes", "looks like utf-16-le", "utf-16-le"),
    "marked utf-16 as bytes": ("plain\n".encode("utf-16"), "bytes", "begins with the byte order mark", "utf-16"),
    "utf-8 as latin-1": ("née\n".encode(), "latin-1", "is valid utf-8", "utf-8"),
    "cp1252 as latin-1": ("“née”\n".encode("cp1252"), "latin-1", "has U+0093", "cp1252"),
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_a_text_that_is_read_in_a_wrong_encoding_is_warned_of(charrnn, tiny, tmp_path, what):
    data, encoding, sign, likely = DOUBTFUL[what]
    mark = data[: 2 * data.startswith((b"\xff\xfe", b"\xfe\xff"))]
    (tmp_path / "t.txt").write_bytes(mark + data.removeprefix(mark) * 60)
    small = ["-c", tiny, "--set", "train.iterations=1"]
    told = charrnn("train", "t.txt", "-o", "run", *small, "--set", f"data.encoding={encoding}").ok().err
    assert sign in told
    assert f"if it is {likely}: --set data.encoding={likely}\n" in told
    right = charrnn("train", "t.txt", "-o", "other", *small, "--set", f"data.encoding={likely}").ok().err
    assert "if it is" not in right


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "bytes"])
def test_a_text_in_its_own_encoding_is_not_doubted(charrnn, tiny, tmp_path, encoding):
    words = "Ça va, naïve née?\r\n\x00\t" * 40
    (tmp_path / "t.txt").write_bytes(words.encode("utf-8" if encoding == "bytes" else encoding))
    told = charrnn("train", "t.txt", "-c", tiny, "-o", "run", "--set", f"data.encoding={encoding}")
    assert "if it is" not in told.ok().err


# --- pairs, documents and what is to be predicted from ---


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
def test_predict_reads_inputs_as_they_were_learnt_and_in_utf_8(charrnn, tiny, tmp_path, encoding):
    rows = "".join(
        f"{label}\t{word}\n" for label, word in [("é", "née"), ("é", "été"), ("ô", "tôt"), ("ô", "rôle")] * 9
    )
    (tmp_path / "rows.tsv").write_bytes(
        f"\ufeff{rows}".encode(encoding) if encoding == "utf-8" else rows.encode(encoding)
    )
    given = ["-c", tiny, "-q", "-o", "run", "--set", "task.name=classify", "--set", f"data.encoding={encoding}"]
    charrnn("train", "rows.tsv", *given, "--set", "data.split=[1,0,0]").ok()
    answers = []
    for name, codec in (("own.txt", encoding), ("utf.txt", "utf-8")):
        (tmp_path / name).write_bytes("née\nrôle\n".encode(codec))
        result = charrnn("predict", "run", name, "--json").ok()
        assert "never seen" not in result.err
        answers.append(result.out)
    assert answers[0] == answers[1]
    named = charrnn("predict", "run", "own.txt", "--json", "--encoding", encoding).ok()
    assert (named.out, named.err) == (answers[0], "")
    assert charrnn("eval", "run", "rows.tsv", "--json").ok().json["items"] == 36


def test_documents_of_another_encoding_are_measured_in_their_bytes(charrnn, train, tmp_path):
    (tmp_path / "names.txt").write_bytes("née\nété\nrôle\n".encode("latin-1") * 20)
    given = [
        word for key in ("encoding=latin-1", "documents=lines", "split=[1,0,0]") for word in ("--set", f"data.{key}")
    ]
    train("-o", "run", *given, source="names.txt").ok()
    (tmp_path / "utf.txt").write_bytes("née\n".encode())
    assert charrnn("eval", "run", "utf.txt", "--json").ok().json["bytes"] == 5
    (tmp_path / "strange.txt").write_bytes("née€\n".encode())
    charrnn("eval", "run", "strange.txt").fails(3, "never saw", "U+20AC")
