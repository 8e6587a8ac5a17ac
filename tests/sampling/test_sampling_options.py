"""What steers a sample beside the filters: allowed characters, penalties, several stops and prompts, best of."""

from __future__ import annotations

import numpy as np
import pytest
from interrupting import config

from charrnn.runs.run import Corpus, Run
from charrnn.sampling import Request, Writing, generating, sample, write, written
from charrnn.sampling.filters import log_softmax
from charrnn.sampling.repetition import Repetition
from charrnn.tasks.documents import DocumentModel
from charrnn.tasks.generate import Generate
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary

SYMBOLS = "\n abcdefgh"


def random_run(task, **changes):
    run = Run.new(
        config(train__dtype="float64", model__hidden_size=7, model__initial_state="learned", **changes),
        task,
        Corpus("x", 1, ""),
    )
    run.params.vector[...] = np.random.default_rng(5).standard_normal(run.params.vector.size) * 0.7
    return run


@pytest.fixture(scope="module")
def run():
    return random_run(LanguageModel(Vocabulary(SYMBOLS)), model__num_layers=2)


@pytest.fixture(scope="module")
def documents():
    return random_run(DocumentModel(Vocabulary("abcdefgh")), data__documents="lines")


def log_probability(run, read, drawn):
    """What one pass over a text says of it."""
    ids = np.array([*read, *drawn])[:, None]
    logits, _ = run.model.forward(run.params, ids, run.model.zero_state(1, np.float64), np.ones(1, bool))
    own = log_softmax(logits[:, 0])
    return sum(own[len(read) - 1 + k, symbol] for k, symbol in enumerate(drawn))


# --- what is known of a text ---


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.3, "top_k": 4}, {"allow": "ab c"}, {"repetition_penalty": 2}]
)
def test_the_log_probability_is_the_models_own_whatever_was_filtered(run, options):
    for one in write(run, "abc", 30, seed=1, samples=3, **options):
        encode = run.task.vocabulary.encode
        assert one.log_probability == pytest.approx(log_probability(run, encode("abc"), encode(one.text)))
        assert one.mean_log_probability == pytest.approx(one.log_probability / 30)


def test_what_ended_a_text_counts(run, documents):
    encode, end = documents.task.vocabulary.encode, documents.task.end
    for one in write(documents, samples=20, length=30, seed=1):
        drawn = [*encode(one.text), *[end] * (one.ended == "end")]
        assert one.log_probability == pytest.approx(log_probability(documents, [end], drawn))
    encode = run.task.vocabulary.encode
    stopped = [one for one in write(run, "a", 30, seed=1, samples=20, stop="b") if one.ended == "stop"]
    assert stopped
    for one in stopped:
        assert one.log_probability == pytest.approx(log_probability(run, encode("a"), encode(one.text + "b")))


def test_a_text_says_why_it_ended_and_of_which_seed(run, documents):
    assert {one.ended for one in write(run, "a", 5, samples=3)} == {"length"}
    assert {one.ended for one in write(run, "a", 500, samples=3, stop="c")} == {"stop"}
    assert {one.ended for one in write(documents, length=10**6, samples=3)} == {"end"}
    one, again = (write(run, "a", 20, seed=seed)[0] for seed in (5, 5))
    assert (one.seed, one.number, one.prompt, one.label) == (5, 1, "a", None)
    assert one == again
    drawn = write(run, "a", 20)[0]
    assert write(run, "a", 20, seed=drawn.seed)[0] == drawn


def test_the_label_that_was_drawn_is_told():
    run = random_run(Generate(Vocabulary("abcdefgh"), ("one", "other"), (1, 2)), task__name="generate")
    told = write(run, samples=30, length=9, seed=1)
    assert {one.label for one in told} == {"one", "other"}
    for label in ("one", "other"):
        assert {one.label for one in write(run, samples=3, length=9, label=label)} == {label}


# --- allowed and banned characters ---


def test_only_allowed_characters_are_written(run):
    assert set("".join(sample(run, "h", 300, seed=1, allow="abc "))) == set("abc ")
    assert set("".join(sample(run, "h", 300, seed=1, allow="abc ", ban=" "))) == set("abc")


def test_banned_characters_are_not_written_and_others_share_what_they_had(run, monkeypatch):
    drawn_from = []
    draw = generating.draw
    monkeypatch.setattr(generating, "draw", lambda p, rng: (drawn_from.append(p.copy()), draw(p, rng))[1])
    text = "".join(sample(run, "a", 100, seed=1, ban="\nb"))
    assert set(text) == set(SYMBOLS) - set("\nb")
    ids = np.array([run.task.vocabulary.encode("a" + text)]).T
    logits, _ = run.model.forward(run.params, ids, run.model.zero_state(1, np.float64), np.ones(1, bool))
    p = np.exp(log_softmax(logits[:-1, 0]))
    p[:, [SYMBOLS.index("\n"), SYMBOLS.index("b")]] = 0
    np.testing.assert_allclose(np.array(drawn_from)[:, 0], p / p.sum(-1, keepdims=True), rtol=1e-9, atol=1e-12)


def test_temperature_0_takes_the_likeliest_of_those_that_are_allowed(run):
    assert set("".join(sample(run, "a", 100, temperature=0, allow="gh"))) <= set("gh")


# --- the penalty on repetitions ---


def test_the_penalty_divides_the_probability_of_what_is_in_the_window():
    before = [np.array([0, 1, 1]), np.array([], int), np.array([4, 0, 0, 0])]
    penalty = Repetition(2.0, 3, 5, before)
    logits = np.log(np.array([[0.4, 0.3, 0.1, 0.1, 0.1]] * 3))
    penalty.weigh(logits)
    p = np.exp(logits)
    np.testing.assert_allclose(p[0], [0.2, 0.15, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(p[1], [0.4, 0.3, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(p[2], [0.2, 0.3, 0.1, 0.1, 0.1])
    for ids in ([2, 3, 3], [2, 3, 4], [2, 3, 4]):
        penalty.drawn(np.array(ids))
    np.testing.assert_array_equal(penalty.counts > 0, [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 1]])


@pytest.mark.parametrize(("penalty", "fewer"), [(8.0, True), (0.2, False)])
def test_the_penalty_makes_repetitions_rarer_and_below_1_more_frequent(run, penalty, fewer):
    def repeated(**options):
        text = "".join(sample(run, "a", 2000, seed=1, **options))
        return sum(text[k] in text[k - 2 : k] for k in range(2, len(text)))

    usual, changed = repeated(), repeated(repetition_penalty=penalty, repetition_window=2)
    assert (changed < 0.8 * usual) if fewer else (changed > 1.2 * usual)


# --- several stop texts ---


def test_the_first_of_several_stop_texts_ends_a_text(run):
    whole = "".join(sample(run, "a", 200, seed=1))
    stops = [whole[150:153], whole[60:64], whole[100:102]]
    first = min(whole.index(stop) for stop in stops)
    assert "".join(sample(run, "a", 200, seed=1, stop=stops)) == whole[:first]


def test_the_longest_stop_text_that_ends_at_a_place_is_left_out_whole(run):
    whole = "".join(sample(run, "a", 200, seed=1))
    place = next(
        k for k in range(20, 150) if whole.index(whole[k : k + 6]) == k and whole.index(whole[k + 4 : k + 6]) == k + 4
    )
    stops = [whole[place + 4 : place + 6], whole[place : place + 6]]
    assert "".join(sample(run, "a", 200, seed=1, stop=stops)) == whole[:place]


# --- several prompts ---


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "lstm_fgr"])
def test_prompts_of_unlike_length_are_each_read_as_if_alone(cell):
    run = random_run(LanguageModel(Vocabulary(SYMBOLS)), model__cell=cell, model__num_layers=2)
    prompts = ["a", "bad cafe", "h\n", "abcdefgh" * 9]
    together = write(run, prompts, 40, temperature=0)
    assert [one.prompt for one in together] == prompts
    for one, prompt in zip(together, prompts, strict=True):
        (alone,) = write(run, prompt, 40, temperature=0)
        assert one.text == alone.text
        assert one.log_probability == pytest.approx(alone.log_probability, rel=1e-9)


def test_documents_begin_with_prompts_or_without_and_none_is_empty(documents):
    documents.params["head.b"][documents.task.end] += 50
    try:
        texts = [one.text for one in write(documents, ["", "ab", ""], samples=3, seed=1)]
    finally:
        documents.params["head.b"][documents.task.end] -= 50
    assert [len(text) for text in texts] == [1, 1, 1, 0, 0, 0, 1, 1, 1]


def test_many_prompts_are_drawn_some_at_a_time_and_keep_their_order(run, monkeypatch):
    from charrnn.sampling import samples

    monkeypatch.setattr(samples, "ROWS", 4)
    prompts = [f"{a}{b}" for a in "abc" for b in "abc"]
    found = list(written(run, Request(tuple(prompts), 6, seed=1), 2))
    assert [one.prompt for one in found] == [prompt for prompt in prompts for _ in range(2)]
    assert [one.number for one in found] == list(range(1, 19))
    assert len({one.text for one in found}) > 15
    assert {one.seed for one in found} == {1}


def test_many_samples_are_drawn_some_at_a_time_so_that_the_first_are_there_at_once(run, monkeypatch):
    from charrnn.sampling import samples

    monkeypatch.setattr(samples, "ROWS", 4)
    alone = [one.text for one in written(run, Request(("ab",), 12, seed=1), 4)]
    some = written(run, Request(("ab", "c"), 12, seed=1), 10)
    many = written(run, Request(("ab", "c"), 12, seed=1), 10**9)
    assert [next(many).text for _ in range(4)] == alone
    found = list(some)
    assert [one.text for one in found[:4]] == alone
    assert [one.prompt for one in found] == ["ab"] * 10 + ["c"] * 10
    assert [one.number for one in found] == list(range(1, 21))
    assert len({one.text for one in found}) == 20
    assert len({one.text for one in written(run, Request(("ab",), 12, seed=1, best_of=3), 9)}) == 9


# --- the best of several ---


def test_the_best_is_the_likeliest_for_each_character_that_was_drawn(documents):
    tried = write(documents, ["a", "b"], 30, seed=3, samples=6)
    best = write(documents, ["a", "b"], 30, seed=3, samples=2, best_of=3)
    groups = [tried[k : k + 3] for k in range(0, 12, 3)]
    assert [one.text for one in best] == [max(g, key=lambda one: one.mean_log_probability).text for g in groups]
    assert [one.number for one in best] == [1, 2, 3, 4]
    assert (
        "".join(sample(documents, "a", 30, seed=3, best_of=6))
        == max(write(documents, "a", 30, seed=3, samples=6), key=lambda one: one.mean_log_probability).text
    )


def test_what_is_not_asked_for_is_not_computed(run):
    writing = Writing(run, Request(("a",), 5, seed=1))
    assert (writing.generator.constraints, writing.generator.penalty, writing.generator.scored) == ([], None, False)
    writing.whole()
    assert writing.texts[0].nats == 0
