"""`charrnn predict`: an answer for each line, in their order, whatever the lines are."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from driving import strict_json
from task_runs import ITEMS, words

import charrnn.cli.predict
import charrnn.tasks.transduce as charrnn_transduce
from charrnn.runs.checkpoint import load

TASKS = ["classify", "tag", "transduce"]
KEYS = {
    "classify": ["input", "label", "probability", "top", "unknown"],
    "tag": ["input", "text", "unknown"],
    "transduce": ["input", "text", "log_probability", "ended", "top", "unknown"],
}
INPUTS = {
    "classify": ["aei", "", "01", "dfg", "u", "3210321032103210", "bcd"],
    "tag": ["abcde", "", "e", "ddddd", "abababababababa"],
    "transduce": ["abc", "", "c", "aa", "bcbcbc"],
}


@pytest.fixture
def answers(charrnn, taught):
    """The objects that `predict --json` prints for inputs in the form of a file."""

    def ask(task, data, *words, **changes):
        out = charrnn("predict", taught(task, **changes), *words, "--json", stdin=data).ok().out
        return [strict_json(line) for line in out.splitlines()]

    return ask


def lines(inputs, end="\n"):
    return "".join(text + end for text in inputs).encode()


@pytest.mark.parametrize("task", TASKS)
def test_there_are_as_many_answers_as_lines_in_their_order(answers, task):
    found = answers(task, lines(INPUTS[task]))
    assert [answer["input"] for answer in found] == INPUTS[task]
    assert {tuple(answer) for answer in found} == {tuple(KEYS[task])}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("form", ["no last line end", "CRLF", "BOM"])
def test_line_ends_and_marks_change_nothing(answers, task, form):
    data = lines(INPUTS[task])
    other = {"no last line end": data[:-1], "CRLF": data.replace(b"\n", b"\r\n"), "BOM": b"\xef\xbb\xbf" + data}[form]
    assert answers(task, other) == answers(task, data)


@pytest.mark.parametrize("task", TASKS)
def test_a_line_is_answered_alone_as_in_company(answers, task):
    together = answers(task, lines(INPUTS[task]))
    for text, expected in zip(INPUTS[task], together, strict=True):
        (alone,) = answers(task, lines([text]))
        for key, value in alone.items():
            approximate = key in ("probability", "log_probability")
            if key != "top":
                assert value == (pytest.approx(expected[key], abs=1e-5) if approximate else expected[key])


@pytest.mark.parametrize("task", TASKS)
def test_blocks_of_inputs_do_not_show(answers, monkeypatch, task):
    inputs = [item[task == "classify"] for item in ITEMS[task]]
    random.Random(0).shuffle(inputs)
    whole = answers(task, lines(inputs))
    monkeypatch.setattr(charrnn.cli.predict, "BLOCK", 7)
    name = "label" if task == "classify" else "text"
    assert [answer[name] for answer in answers(task, lines(inputs))] == [answer[name] for answer in whole]


def test_as_many_rows_are_read_side_by_side_whatever_the_beam(charrnn, taught, monkeypatch):
    """Else a wide beam on many short inputs would take more memory than there is."""
    rows, decode = [], charrnn_transduce.decode
    monkeypatch.setattr(
        charrnn_transduce,
        "decode",
        lambda model, params, batch, longest, beam, **asked: (
            rows.append(batch.num_rows * beam) or decode(model, params, batch, longest, beam, **asked)
        ),
    )
    for beam in (1, 9, 300):
        charrnn("predict", taught("transduce"), "--beam", beam, stdin=b"a\n" * 500).ok()
        assert 0 < max(rows) <= 2048, beam


def test_an_answer_that_cannot_end_is_an_answer(taught):
    """As where weights have exploded: the end's logit is -inf, and so is the log-probability of every answer."""
    run = load(taught("transduce"))
    run.weights["head.b"][-1] = -np.inf
    (found,) = run.task.predict(run.model, run.weights, ["a"], top=2)
    assert (found.log_probability, found.ended, len(found.top)) == (-np.inf, False, 1)
    assert found.text


@pytest.mark.parametrize("task", TASKS)
def test_a_file_of_nothing_has_no_answers(charrnn, taught, task, tmp_path):
    (tmp_path / "nothing.txt").write_bytes(b"")
    for source in ([], ["-"], ["nothing.txt"]):
        result = charrnn("predict", taught(task), *source).ok()
        assert (result.out, result.err) == (b"", "")


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_line_is_an_empty_input(charrnn, taught, task):
    assert charrnn("predict", taught(task), stdin=b"\n\n").ok().out.count(b"\n") == 2


def test_most_answers_are_right(answers):
    for task, name in (("classify", "label"), ("tag", "text"), ("transduce", "text")):
        source = int(task == "classify")
        found = answers(task, lines(item[source] for item in ITEMS[task]))
        right = sum(answer[name] == item[1 - source] for answer, item in zip(found, ITEMS[task], strict=True))
        assert right / len(found) > 0.7, task


def test_the_text_of_an_answer_is_what_json_has(charrnn, taught, answers):
    for task in TASKS:
        data = lines(INPUTS[task])
        shown = charrnn("predict", taught(task), stdin=data).ok().text.splitlines()
        found = answers(task, data)
        if task == "classify":
            assert shown == [f"{answer['label']}\t{answer['probability']:.4f}" for answer in found]
        else:
            assert shown == [answer["text"] for answer in found]


@pytest.mark.parametrize("task", TASKS)
def test_characters_that_were_never_seen_are_counted_in_one_warning(charrnn, taught, answers, task):
    data = "\u20acab\nab\n\u00fc\u00fc".encode()
    assert [answer["unknown"] for answer in answers(task, data)] == [1, 0, 2]
    said = charrnn("predict", taught(task), stdin=data).ok().err.splitlines()
    warning = "charrnn: warning: characters never seen in training, and read as unknown: 3, in 2 of 3 inputs"
    assert [line for line in said if "never seen" in line] == [warning]


@pytest.mark.parametrize("task", TASKS)
def test_a_table_of_pairs_in_place_of_inputs_is_warned_of(charrnn, taught, pairs, task):
    said = charrnn("predict", taught(task), pairs(task)).ok().err
    assert "charrnn: warning: each input has a tab, as a row of pairs has; " in said
    assert "has a tab" not in charrnn("predict", taught(task), stdin=b"a\tb\nab\n").ok().err


def test_the_escapes_of_a_table_are_read_and_written(answers, charrnn, taught):
    (answer,) = answers("tag", b"a\\tb\\\\\n")
    assert answer["input"] == "a\tb\\"
    assert len(answer["text"]) == 4
    assert charrnn("predict", taught("tag"), stdin=b"a\\nb\n").ok().out.count(b"\n") == 1


def test_the_best_labels_are_shown_with_their_probabilities(charrnn, taught, answers):
    (answer,) = answers("classify", b"aei\n", "--top", 3)
    labels, probabilities = zip(*answer["top"], strict=True)
    assert set(labels) == {"vowels", "digits", "consonants"}
    assert sum(probabilities) == pytest.approx(1)
    assert list(probabilities) == sorted(probabilities, reverse=True)
    assert (labels[0], probabilities[0]) == (answer["label"], answer["probability"])
    shown = charrnn("predict", taught("classify"), "--top", 2, stdin=b"aei\n").ok().text
    assert shown == f"{labels[0]}\t{probabilities[0]:.4f}\t{labels[1]}\t{probabilities[1]:.4f}\n"
    assert len(answers("classify", b"aei\n", "--top", 99)[0]["top"]) == 3


def test_a_beam_shows_its_best_with_their_log_probabilities(charrnn, taught, answers):
    (answer,) = answers("transduce", b"abc\n", "--beam", 4, "--top", 3)
    texts = [text for text, _ in answer["top"]]
    assert len(set(texts)) == 3
    assert answer["top"][0] == [answer["text"], answer["log_probability"]]
    shown = charrnn("predict", taught("transduce"), "--beam", 4, "--top", 3, stdin=b"abc\n").ok().text
    assert shown.rstrip("\n").split("\t")[::2] == texts
    assert len(answers("transduce", b"abc\n", "--beam", 4)[0]["top"]) == 1


def test_a_page_shows_what_answers_looked_at(charrnn, taught, tmp_path):
    charrnn("predict", taught("transduce"), "--heat", "looks.html", stdin=b"abc\n\n").ok()
    page = (tmp_path / "looks.html").read_text("utf-8")
    assert page.count("<table") == 2
    assert "abc" in page


@pytest.mark.parametrize(
    ("task", "words", "said"),
    [
        ("classify", ["--beam", 2], "--beam is not for a run of the task classify"),
        ("tag", ["--top", 2], "--top is not for a run of the task tag"),
        ("tag", ["--heat", "page.html"], "--heat is not for a run of the task tag"),
        ("transduce", ["--beam", 2, "--top", 3], "raise --beam"),
        ("transduce", ["--beam", 0], "--beam"),
    ],
)
def test_what_a_task_cannot_do_is_one_line(charrnn, taught, task, words, said):
    charrnn("predict", taught(task), *words).fails(2, said)


def test_without_attention_there_is_no_page(charrnn, taught):
    run = taught("transduce", model__context="last", train__iterations=5)
    charrnn("predict", run, "--heat", "page.html").fails(2, "--heat", "model.context is last")


def test_a_language_model_is_let_write(charrnn, trained):
    charrnn("predict", trained).fails(2, "language_model", f"let it write: charrnn sample {trained}")


@pytest.mark.parametrize("task", TASKS)
def test_a_run_of_another_task_writes_nothing_and_says_so(charrnn, taught, task):
    charrnn("sample", taught(task)).fails(2)


def test_the_same_answer_to_all_is_suspicious(charrnn, taught, tmp_path):
    (tmp_path / "spam.tsv").write_text("ham\taeiou\n" * 90 + "spam\tbcd\n" * 3)
    charrnn(
        "train", "spam.tsv", "-q", "-o", "run", *words("classify", train__iterations=15, data__split=[1, 0, 0])
    ).ok()
    many = [f"{n:03}".translate(str.maketrans("0123456789", "aeiouaeiou")) for n in range(100)]
    said = charrnn("predict", "run", stdin=lines(many)).ok().err
    assert "all 100 answers are 'ham', whatever the input" in said
    assert "all " not in charrnn("predict", "run", stdin=lines(many[:19])).ok().err
    assert "all " not in charrnn("predict", "run", stdin=lines(many[:1] * 25)).ok().err
    assert "all " not in charrnn("predict", taught("classify"), stdin=lines([*many, "0000"])).ok().err


def test_what_is_not_text_is_an_error_before_any_answer(charrnn, taught):
    charrnn("predict", taught("tag"), stdin=b"abc\n\xff\n").fails(3, "standard input", "0xff")


def test_a_model_of_bytes_answers_in_bytes(charrnn, tmp_path):
    (tmp_path / "latin.tsv").write_bytes(b"".join(b"%c\xe9\t%c\xc9\n" % (c, c) for c in range(97, 123)) * 3)
    changes = {"data__encoding": "bytes", "data__split": "[1,0,0]", "train__iterations": 200}
    charrnn("train", "latin.tsv", "-q", "-o", "run", *words("tag", **changes)).ok()
    assert charrnn("predict", "run", stdin=b"b\xe9\n").ok().out == b"b\xc9\n"


def test_a_reader_that_has_had_enough_ends_it_quietly(start, taught, tmp_path):
    (tmp_path / "many.txt").write_bytes(b"abcde\n" * 20_000)
    with start("predict", taught("tag"), "many.txt") as running:
        assert len(running.stdout.readline()) == 6
        running.stdout.close()
        assert running.wait(timeout=60) == 0
        assert running.stderr.read() == b""


def test_a_word_in_the_place_of_a_file_is_answered_with_how_to_ask_it(charrnn, taught):
    run = taught("classify")
    charrnn("predict", run, "redcat").fails(
        3, f"redcat: no such file; if it is an input itself: echo redcat | charrnn predict {run}"
    )
    charrnn("predict", run, "harbour").ok()


def test_the_inputs_of_objects_are_those_of_a_table(charrnn, taught, tmp_path):
    texts = ["abc", "", "0\\t1"]
    (tmp_path / "inputs.txt").write_text("".join(f"{text}\n" for text in texts))
    rows = [json.dumps({"label": "x", "text": text.replace("\\t", "\t")}) if text else "" for text in texts]
    (tmp_path / "inputs.jsonl").write_text("".join(f"{row}\n" for row in rows))
    plain = charrnn("predict", taught("classify"), "inputs.txt").ok()
    assert charrnn("predict", taught("classify"), "inputs.jsonl").ok() == plain
    assert charrnn("predict", taught("classify"), stdin=(tmp_path / "inputs.jsonl").read_bytes()).ok() == plain


def test_an_object_without_the_input_is_named_with_its_line(charrnn, taught, tmp_path):
    (tmp_path / "inputs.jsonl").write_text('{"source": "ab"}\n{"target": "ab"}\n')
    result = charrnn("predict", taught("tag"), "inputs.jsonl")
    assert result.code == 3
    assert "inputs.jsonl:2:1: the key 'source' is missing" in result.err


def test_a_table_is_cut_at_the_column_that_the_run_reads(charrnn, taught, pairs):
    said = charrnn("predict", taught("classify"), pairs("classify")).ok().err
    assert f"give the inputs alone: cut -f 2 {pairs('classify')} | charrnn predict {taught('classify')}\n" in said
    said = charrnn("predict", taught("tag"), stdin=pairs("tag").read_bytes()).ok().err
    assert "give the inputs alone: cut -f 1\n" in said
