"""`charrnn.train` and `charrnn.load` from Python: the same runs, numbers and errors as on the command line."""

from __future__ import annotations

import inspect
import math
import os
import signal
import subprocess
import sys
import threading
import time
import typing
import warnings
from pathlib import Path

import numpy as np
import pytest
from driving import inheriting, strict_json
from task_runs import ITEMS, SMALL

import charrnn as package
from charrnn.cli.common import to_json
from charrnn.config.reading import read_assignment
from charrnn.config.resolve import resolve
from charrnn.interface.given import sources_of
from charrnn.interface.settings import plain, settings_of
from charrnn.tasks.transduce import Transduce
from charrnn.text.options import DataConfig

TINY = {"hidden_size": 6, "batch_size": 4, "seq_length": 8, "iterations": 6, "eval_every": 3, "seed": 1, "threads": 1}


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    """In an empty folder, with no corpora fetched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def same_weights(one, other):
    return one.params.vector.tobytes() == other.params.vector.tobytes()


@pytest.fixture(scope="session")
def learned(shelf, trained):
    return package.load(trained)


# --- what there is ---


def test_dir_and_help_have_everything():
    wanted = {"train", "load", "sample", "evaluate", "Run", "TrainedRun", "Trainer", "CharLM"}
    wanted |= {"CharrnnError", "ConfigError", "DataError", "CheckpointError", "DivergedError", "OutputError"}
    assert wanted <= set(dir(package))
    assert wanted <= set(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert len(inspect.getdoc(package.train).splitlines()) > 10
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        package.trian  # noqa: B018


def test_every_public_method_is_typed_and_says_what_it_does():
    for name, method in inspect.getmembers(package.TrainedRun, inspect.isfunction):
        if not name.startswith("_") and name in vars(package.TrainedRun):
            assert typing.get_type_hints(method)["return"], name
            assert len(inspect.getdoc(method).split()) > 5, name
    assert typing.get_type_hints(package.train)["return"] is package.TrainedRun


def test_the_package_is_marked_as_typed():
    assert (Path(package.__file__).parent / "py.typed").exists()


# --- training ---


def test_a_run_from_python_is_that_of_the_command_line_to_the_last_bit(charrnn, text, tmp_path):
    sets = [
        f"--set={s}" for s in ("model.hidden_size=6", "train.batch_size=4", "train.seq_length=8", "train.threads=1")
    ]
    sets += [f"--set={s}" for s in ("train.iterations=6", "train.eval_every=3", "train.seed=1")]
    charrnn("train", text, *sets, "-o", "typed", "-q").ok()
    written = package.train(text, **TINY, out=tmp_path / "written")
    assert (tmp_path / "typed" / "last.npz").read_bytes() == (tmp_path / "written" / "last.npz").read_bytes()
    assert same_weights(written, package.load(tmp_path / "typed"))
    assert written.path == tmp_path / "written"


def test_the_best_weights_are_returned_and_nothing_is_left_without_out(text, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    run = package.train(text, **TINY)
    kept = package.train(text, **TINY, out="run")
    assert same_weights(run, package.load("run/best.npz"))
    assert same_weights(run, kept)
    assert run.path is None
    assert list(temporary.iterdir()) == []
    assert sorted(os.listdir()) == ["run", "temporary"]


def test_what_is_saved_can_be_loaded_again(learned):
    learned.save("model.npz")
    again = package.load("model.npz")
    assert same_weights(learned, again)
    assert (again.path, again.config, again.iteration) == (Path("model.npz"), learned.config, learned.iteration)
    assert "foxes.txt" in repr(again)
    assert len(repr(again)) < 200


@pytest.mark.parametrize("kind", ["path", "string", "list", "text", "bytes"])
def test_a_text_may_be_given_in_any_form(text, kind):
    content = text.read_text()
    source = {"path": text, "string": str(text), "list": [text], "text": content, "bytes": content.encode()}[kind]
    run = package.train(source, **TINY)
    assert same_weights(run, package.train(text, **TINY))


def test_a_corpus_is_found_by_its_name():
    assert package.train("harbour", **TINY | {"iterations": 1}).corpus.name == "harbour"


@pytest.mark.parametrize("task", ["classify", "generate", "tag", "transduce"])
def test_pairs_may_be_given_as_a_list(task, pairs):
    settings = {**SMALL, "train.iterations": 3, "data.split": [0.6, 0.2, 0.2]}
    listed = package.train(ITEMS[task], settings, task=task)
    read = package.train(pairs(task), settings, task=task)
    assert same_weights(listed, read)


def test_odd_characters_in_pairs_arrive_as_they_are():
    odd = [("tab\there", "back\\slash"), ("two\nlines", "plain"), ("\\n", "\t")]
    library, sources = sources_of(odd, "utf-8")
    read = Transduce.read(library, sources, DataConfig())
    assert list(zip(read.first, read.second, strict=True)) == odd


@pytest.mark.parametrize("settings", [5, [("train.seed", 1)], "optim.name=adam"])
def test_settings_are_a_dict(text, settings):
    with pytest.raises(package.ConfigError, match="give a dict"):
        package.train(text, settings)


@pytest.mark.parametrize("source", [None, 3, [], [1, 2], ["a", ("b", "c")], [("a", "b", "c")], {"a": 1}.items()])
def test_what_is_nothing_to_learn_from_is_refused(source):
    with pytest.raises(package.ConfigError):
        package.train(source, **TINY)


# --- settings ---


def configuration(*arguments, **keywords):
    return resolve(settings_of(*arguments, keywords))[0]


def test_keywords_win_over_settings_and_these_over_the_file():
    Path("mine.yaml").write_text("model: {hidden_size: 3, num_layers: 2}\ntrain: {batch_size: 5}\n")
    config = configuration("mine.yaml", {"model.hidden_size": 4, "train.batch_size": 6}, batch_size=7)
    assert (config.model.num_layers, config.model.hidden_size, config.train.batch_size) == (2, 4, 7)


def test_a_shipped_configuration_is_found_by_its_name():
    shipped, _ = resolve([read_assignment("task.name=classify")])
    assert configuration("classify", None).task.name == shipped.task.name


@pytest.mark.parametrize(
    ("keyword", "value", "key"),
    [
        ("lr", 0.5, "optim.learning_rate"),
        ("learning_rate", 0.5, "optim.learning_rate"),
        ("layers", 2, "model.num_layers"),
        ("task", "tag", "task.name"),
        ("optimizer", "sgd", "optim.name"),
        ("model.cell", "gru", "model.cell"),
        ("time_budget", "2m", "train.time_budget"),
    ],
)
def test_a_keyword_is_a_flag_or_the_last_word_of_a_key(keyword, value, key):
    (setting,) = settings_of(None, None, {keyword: value})
    assert (setting.path, setting.value) == (key, value)


@pytest.mark.parametrize(
    ("settings", "keywords", "parts"),
    [
        ({}, {"hiden_size": 3}, ["hiden_size=", "did you mean 'hidden_size'"]),
        ({}, {"name": "tag"}, ["task.name", "optim.name"]),
        ({"model.hiden_size": 3}, {}, ["model.hidden_size"]),
        ({}, {"hidden_size": 0}, ["model.hidden_size", "at least 1"]),
        ({}, {"hidden_size": "wide"}, ["a whole number"]),
        ({}, {"epochs": float("nan")}, ["train.epochs"]),
        ({"train.iterations": None, "train.epochs": None}, {}, ["nothing ends the training"]),
    ],
)
def test_what_is_wrong_is_told_as_on_the_command_line(settings, keywords, parts, text):
    with pytest.raises(package.ConfigError) as caught:
        package.train(text, settings, **keywords)
    assert all(part in str(caught.value) for part in parts)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([1, 0, 0]), [1, 0, 0]),
        ((np.float64(1), 0), [1.0, 0]),
        (Path("a"), "a"),
        (np.str_("gru"), "gru"),
        (None, None),
    ],
)
def test_values_of_numpy_are_plain_values(value, meant):
    assert plain(value) == meant
    assert type(plain(value)) is type(meant)


def test_a_run_directory_is_not_overwritten(text):
    package.train(text, **TINY, out="run")
    with pytest.raises(package.ConfigError, match="already holds a run"):
        package.train(text, **TINY, out="run")
    with pytest.raises(package.ConfigError, match="out="):
        package.train(text, **TINY, resume=True)


def test_a_run_goes_on_as_if_it_had_never_stopped(text):
    package.train(text, **TINY, schedule="constant", out="parts")
    package.train(out="parts", resume=True, iterations=12)
    package.train(text, **TINY | {"iterations": 12}, schedule="constant", out="whole")
    assert same_weights(package.load("parts/last.npz"), package.load("whole/last.npz"))


def test_a_run_may_be_given_more_to_do(text):
    package.train(text, **TINY, out="run")
    assert package.load("run/last.npz").iteration == 6
    package.train(out="run", resume=True, more=4)
    assert package.load("run/last.npz").iteration == 10
    for wrong in ({"more": 3}, {"more": 3, "resume": True, "out": "run", "iterations": 20}):
        with pytest.raises(package.ConfigError, match="more="):
            package.train(text, **wrong)


def test_what_was_given_in_python_must_be_given_again(text):
    content = text.read_text()
    package.train(content, **TINY, out="run")
    with pytest.raises(package.ConfigError, match="give the same again"):
        package.train(out="run", resume=True, iterations=9)
    assert package.train(content, out="run", resume=True, iterations=9).iteration in (6, 9)
    with pytest.raises(package.CheckpointError, match="is not what this run learns from"):
        package.train(content + "\nmore", out="run", resume=True, iterations=12)


def test_old_weights_may_be_begun_with(text):
    old = package.train(text, **TINY, out="old")
    new = package.train(text, init_from="old", iterations=1, lr=1e-9, batch_size=4, seq_length=8, seed=2)
    assert new.config.model.hidden_size == 6
    np.testing.assert_allclose(new.params.vector, old.params.vector, atol=1e-4)


def test_progress_is_shown_on_stderr_and_else_nothing_is(text, capsys):
    package.train(text, **TINY)
    assert capsys.readouterr() == ("", "")
    package.train(text, **TINY, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "iteration       3" in err


def test_what_a_user_must_know_is_a_warning(text, monkeypatch):
    package.train(text, **TINY, out="run")
    run_file = Path("run/last.npz")
    run_file.write_bytes(run_file.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="passed over, and kept"):
        package.train(out="run", resume=True, iterations=8)


def test_a_run_may_be_trained_in_a_thread(text):
    found = []
    thread = threading.Thread(target=lambda: found.append(package.train(text, **TINY)))
    thread.start()
    thread.join(60)
    assert same_weights(found[0], package.train(text, **TINY))


INTERRUPTED = """
import charrnn, sys
often = {"train.eval_every": 1, "train.checkpoint_every": 1, "train.threads": 1}
try:
    charrnn.train(sys.argv[1], often, hidden_size=6, batch_size=4, seq_length=8, iterations=10**7, out="run")
except KeyboardInterrupt:
    print("interrupted", charrnn.load("run/last.npz").iteration)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_ctrl_c_saves_and_is_a_keyboard_interrupt(text):
    with inheriting():
        process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(text)], stdout=subprocess.PIPE)
    try:
        while not Path("run/prev.npz").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert out.startswith(b"interrupted ")
    assert int(out.split()[1]) >= 2


def test_what_diverges_says_so_and_names_no_file_that_is_gone(text):
    with pytest.raises(package.DivergedError, match=r"^diverged at iteration 2.*lower optim.learning_rate") as caught:
        package.train(text, **TINY, lr=1e9)
    assert "diverged.json" not in str(caught.value)
    with pytest.raises(package.DivergedError, match=r"see .*diverged.json"):
        package.train(text, **TINY, lr=1e9, out="run")


def test_signals_are_handled_as_before_when_it_is_done(text):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    package.train(text, **TINY)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- a language model ---


def test_it_writes_as_charrnn_sample_does(learned):
    text = learned.sample("Verse ", length=40, seed=3)
    assert text == "".join(package.sample(learned, "Verse ", length=40, seed=3))
    assert len(text) == 40
    assert learned.sample("Verse ", length=40, seed=3, temperature=0) != text


def test_several_texts_are_written_at_once(learned):
    texts = learned.samples(3, "Verse ", length=20, seed=3)
    assert len({one.text for one in texts}) == 3
    assert {(len(one.text), one.seed, one.ended) for one in texts} == {(20, 3, "length")}
    of_each = learned.samples(2, ["Verse ", "quick "], length=5, temperature=0)
    assert [one.prompt for one in of_each] == ["Verse ", "Verse ", "quick ", "quick "]
    greedy = of_each[0]
    scores = learned.score("Verse " + greedy.text)[len("Verse ") - 1 :]
    assert greedy.log_probability == pytest.approx(-scores.sum(), rel=1e-4)


MEANINGLESS = [{"top_k": 0}, {"min_p": 2}, {"temperature": math.nan}, {"length": -1}]


@pytest.mark.parametrize("options", [*MEANINGLESS, {"stop": 5}, {"stop": b"a"}, {"stop": ["a", 5]}])
def test_what_means_nothing_is_refused(learned, options):
    with pytest.raises(package.ConfigError):
        learned.sample("Verse", **options)


@pytest.mark.parametrize("prompt", [None, 5, b"Verse", ["Verse", 5]])
def test_a_prompt_is_text(learned, prompt):
    with pytest.raises(package.ConfigError, match="prompt must be text"):
        learned.sample(prompt)


def test_the_mean_of_the_scores_is_the_loss_that_eval_tells(learned, text, charrnn):
    content = text.read_text()[:400]
    scores = learned.score(content)
    assert (scores.shape, scores.dtype) == ((399,), np.float64)
    assert (scores >= 0).all()
    Path("part.txt").write_text(content)
    told = charrnn("eval", learned.path, "part.txt", "--json").ok().json
    assert scores.mean() == pytest.approx(told["nats_per_char"], rel=1e-5)
    assert learned.evaluate("part.txt") == told
    assert learned.evaluate(content) == told


def test_the_logits_are_what_the_scores_are_made_of(learned):
    words = "the quick <brown> fox"
    logits, symbols = learned.logits(words), learned.symbols
    assert (logits.shape, logits.dtype) == ((len(words), len(symbols)), np.float32)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    expected = [-math.log(p[i, symbols.index(c)]) for i, c in enumerate(words[1:])]
    np.testing.assert_allclose(learned.score(words), expected, rtol=1e-4)


def test_logits_do_not_depend_on_how_many_are_read_at_a_time(learned, text, monkeypatch):
    content = text.read_text()[:300]
    whole = learned.logits(content)
    monkeypatch.setattr("charrnn.interface.thoughts.STEPS", 7)
    np.testing.assert_allclose(learned.logits(content), whole, atol=1e-5)


def test_a_document_has_a_score_for_its_end_too(tmp_path):
    names = "\n".join(["ada", "bea", "cleo", "dan"] * 40)
    run = package.train(names, documents="lines", split=[1, 0, 0], **TINY | {"seq_length": 16})
    scores = run.score("ada")
    assert scores.shape == (4,)
    assert run.symbols[-1] == ""
    assert run.logits("ada").shape == (4, len(run.symbols))
    told = run.evaluate("ada\nada\n")
    assert scores.mean() == pytest.approx(told["nats_per_char"], rel=1e-5)


def test_a_text_is_scored_for_a_label(pairs, taught):
    run = package.load(taught("generate"))
    assert run.labels == ["consonants", "digits", "vowels"]
    assert run.score("0123", label="digits").sum() < run.score("0123", label="vowels").sum()
    with pytest.raises(package.ConfigError, match="label"):
        run.score("0123")
    with pytest.raises(package.ConfigError):
        run.score("0123", label="none such")


@pytest.mark.parametrize("ask", ["score", "logits"])
@pytest.mark.parametrize(
    ("given", "error"), [("é", package.DataError), (b"ab", package.ConfigError), (3, package.ConfigError)]
)
def test_what_cannot_be_scored_is_refused(learned, ask, given, error):
    with pytest.raises(error):
        getattr(learned, ask)(given)


@pytest.mark.parametrize("odd", ["\ufeff", "\x00", "\ud800"])
def test_each_character_of_a_text_counts_and_one_that_is_unknown_is_named(learned, odd):
    for ask in (learned.score, learned.logits):
        with pytest.raises(package.DataError, match=f"U\\+{ord(odd):04X}"):
            ask(f"{odd}Verse")


def test_a_byte_order_mark_that_was_learnt_has_a_score(text):
    run = package.train(text.read_text() + "\ufeff\n", **TINY)
    assert run.score("\ufeffVerse").shape == (5,)


def test_a_part_is_evaluated_beside_baselines(learned, text, charrnn):
    told = charrnn("eval", learned.path, text, "--split", "validation", "--json").ok().json
    assert learned.evaluate(text, split="validation") == told
    with pytest.raises(package.ConfigError, match="validation"):
        learned.evaluate(text, split="val")


def test_unknown_characters_are_skipped_where_that_is_asked_for(learned, text):
    strange = text.read_text()[:300] + "\u00e9\n"
    with pytest.raises(package.DataError, match="U\\+00E9"):
        learned.evaluate(strange)
    told = learned.evaluate(strange, unknown="skip")
    assert (told["skipped"], told["chars"]) == (1, 300)
    with pytest.raises(package.ConfigError, match="unknown"):
        learned.evaluate(strange, unknown="ignore")


def test_a_text_is_read_as_it_is_whatever_the_encoding_of_the_model():
    run = package.train("n\u00e9 \u00e0 c\u00f4t\u00e9 \u00c3\u00a9\n" * 60, encoding="latin-1", **TINY)
    assert run.evaluate("\u00c3\u00a9\n")["chars"] == 2  # not \u00e9, as these bytes are in UTF-8
    told = run.evaluate("n\u00e9 \u4f60\n", unknown="skip")  # which has no byte in that encoding
    assert (told["skipped"], told["chars"]) == (1, 3)
    assert run.evaluate("n\u00e9\r", unknown="skip")["skipped"] == 1  # a text, as CR ends lines too


def test_a_file_is_evaluated_in_the_encoding_that_is_named(learned):
    Path("wide.txt").write_bytes("Verse".encode("utf-16-be"))
    assert learned.evaluate("wide.txt", encoding="utf-16-be")["chars"] == 4
    with pytest.raises(package.ConfigError, match="encoding"):
        learned.evaluate("wide.txt", encoding="none such")


def test_a_run_takes_no_place_of_what_is_no_checkpoint(learned):
    Path("book.txt").write_text("my only copy\n")
    with pytest.raises(package.ConfigError, match=r"book\.txt is there already, and is not a checkpoint"):
        learned.save("book.txt")
    assert Path("book.txt").read_text() == "my only copy\n"
    for _ in range(2):
        learned.save("model.npz")


def test_where_symbols_are_bytes_each_byte_has_a_score(text):
    run = package.train(text.read_text() + "\u00e9\n", encoding="bytes", **TINY)
    assert run.score("a\u00e9b").shape == (3,)
    assert run.logits("a\u00e9b").shape == (4, len(run.symbols))
    expected = run.evaluate("row, row\u00e9!\n")
    assert run.score("row, row\u00e9!\n").mean() == pytest.approx(expected["nats_per_char"], rel=1e-5)


def test_a_long_text_is_scored_as_eval_scores_it(learned, text):
    content = text.read_text()
    assert learned.score(content).mean() == pytest.approx(learned.evaluate(content)["nats_per_char"], rel=1e-9)


# --- the other tasks ---


@pytest.mark.parametrize("task", ["classify", "tag", "transduce"])
def test_inputs_are_answered_as_by_charrnn_predict(task, taught, charrnn):
    run = package.load(taught(task))
    inputs = [first if task != "classify" else second for first, second in ITEMS[task][:5]]
    Path("inputs.txt").write_text("".join(f"{one}\n" for one in inputs))
    told = charrnn("predict", run.path, "inputs.txt", "--json").ok().text.splitlines()
    plainly = charrnn("predict", run.path, "inputs.txt").ok().text.splitlines()

    answers = run.answers(inputs)
    assert [strict_json(line) for line in told] == [strict_json(to_json(answer)) for answer in answers]
    assert run.predict(inputs) == [line.split("\t")[-1 if task == "transduce" else 0] for line in plainly]
    assert run.predict([]) == []


def test_probabilities_are_of_all_labels_in_their_order(taught):
    run = package.load(taught("classify"))
    p = run.probabilities(["0123", "aei", "bcd"])
    assert p.shape == (3, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    assert [run.labels[k] for k in p.argmax(axis=1)] == run.predict(["0123", "aei", "bcd"])
    assert run.probabilities([]).shape == (0, 3)


def test_what_a_task_has_not_is_refused(taught, learned):
    classifier = package.load(taught("classify"))
    for ask in (
        lambda: learned.predict(["a"]),
        lambda: learned.probabilities(["a"]),
        lambda: classifier.sample("a"),
        lambda: classifier.score("a"),
        lambda: classifier.logits("a"),
        lambda: classifier.predict("a"),
        lambda: classifier.predict([1]),
        lambda: classifier.predict(["a"], beam=3),
        lambda: classifier.answers(["a"], top=0),
        lambda: classifier.evaluate("harbour", beam=2),
        lambda: classifier.symbols,
    ):
        with pytest.raises(package.ConfigError):
            ask()


def test_importing_it_does_not_load_numpy():
    script = "import sys, charrnn; dir(charrnn); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_no_warning_is_raised_by_a_plain_run(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        package.train(text, **TINY)
