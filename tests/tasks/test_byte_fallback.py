"""Language models whose rare characters are spelled in bytes: what is learnt, judged and told of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.errors import ConfigError
from charrnn.judging.evaluation import nats_of_characters
from charrnn.nn.stepper import Stepper
from charrnn.runs import checkpoint
from charrnn.tasks.base import Batching
from charrnn.tasks.documents import DocumentModel
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.documents import Documents
from charrnn.text.encoding import decode
from charrnn.text.options import DataConfig
from charrnn.text.speller import WholeCharacters
from charrnn.training.preparing import prepare

RARE = "".join(map(chr, range(0x4E00, 0x4E40)))
TEXT = "".join(f"the quiet {RARE[n % 60]}fox {n}.\n" for n in range(200)) + "é🦊漢 ends it, é.\n" * 15


def text_of(characters):
    return decode([characters.encode()], "a text", "utf-8")


def configuration(**changes):
    small = {"model.hidden_size": 6, "train.batch_size": 3, "train.seq_length": 8, "train.seed": 1}
    small |= {"train.iterations": 2, "train.threads": 1, "data.min_count": 5, "train.dtype": "float64"}
    small |= {name.replace("__", "."): value for name, value in changes.items()}
    return resolve([Setting(path, value, "a test") for path, value in small.items()])[0]


@pytest.fixture
def run(rng):
    run = prepare(configuration(), text_of(TEXT)).run
    run.params.vector[...] = rng.normal(0, 0.5, run.params.vector.size)
    return run


def nats_by_hand(run, ids):
    """The loss of each id but the first, by one step after another from a new state."""
    stepper, found = Stepper(run.model, run.params, 1), []
    for before, after in itertools.pairwise(ids):
        logits = stepper.step(np.array([before]))[0].astype(float)
        found.append(math.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[after])
    return found


def test_characters_get_symbols_as_they_occur_in_the_training_part():
    data = DataConfig(min_count=3, split=(0.5, 0.25, 0.25))
    text = text_of("aaab" * 5 + "漢漢é" + "a" * 7 + "漢" * 30)  # its first half ends within the last ones
    task = LanguageModel.of(text, data, Batching(1, 4, 1, None))
    train = "".join(text.pieces(0, 30))
    assert task.vocabulary.symbols == "".join(sorted(c for c in set(train) if train.count(c) >= 3))
    assert "漢" not in task.vocabulary.symbols
    with_all = LanguageModel.of(text, DataConfig(min_count=1, split=(0.5, 0.25, 0.25)), Batching(1, 4, 1, None))
    assert with_all.vocabulary.symbols == "".join(sorted(set(train)))


def test_the_nats_of_a_text_are_those_of_all_its_symbols_over_its_characters(run):
    characters = "漢é the é🦊Ωfox 漢\n" * 9
    part = run.task.part(text_of(characters), run.config.data, Batching(3, 8, 1, None))
    report = run.task.report(run.model, run.params, part)
    ids = run.task.vocabulary.encode(characters)
    first = len(run.task.vocabulary.encode(characters[0]))
    expected = nats_by_hand(run, ids)[first - 1 :]
    assert first > 1
    assert report["chars"] == len(characters) - 1
    assert report["bytes"] == len(characters[1:].encode())
    assert report["nats_per_char"] == pytest.approx(sum(expected) / (len(characters) - 1))
    assert report["bits_per_byte"] == pytest.approx(sum(expected) / math.log(2) / report["bytes"])
    assert report["perplexity"] == pytest.approx(math.exp(sum(expected) / (len(characters) - 1)))
    assert "".join(part.predicted()) == characters[1:]


def test_the_surprise_of_a_character_is_that_of_its_bytes_together(run):
    characters = "fox 漢é🦊 the Ω\n" * 5
    part = run.task.part(text_of(characters), run.config.data, Batching(3, 8, 1, None))
    found = nats_of_characters(run.model, run.params, part.streams)
    nats, ids = nats_by_hand(run, run.task.vocabulary.encode(characters)), 0
    expected = []
    for character in characters[1:]:
        size = len(run.task.vocabulary.encode(character))
        expected.append(sum(nats[ids : ids + size]))
        ids += size
    np.testing.assert_allclose(found, expected)


def test_the_validation_text_is_the_same_whatever_has_a_symbol():
    batching = Batching(3, 8, 1, 300)
    parts = []
    for data in (DataConfig(), DataConfig(min_count=5), DataConfig(max_vocab=0)):
        task = LanguageModel.of(text_of(TEXT), data, batching)
        part = task.part(text_of(TEXT), data, batching, "validation")
        parts.append("".join(part.predicted()))
        judged = task.split(text_of(TEXT), data, batching).validation
        assert judged.characters == min(299, len(part))
    assert parts[0] == parts[1] == parts[2]


def test_the_chances_of_all_first_characters_add_up_to_one(run, rng):
    """Those with symbols of their own, and every other of Unicode in its bytes, where only text can be written."""
    vocabulary = run.task.vocabulary
    own = len(vocabulary.symbols)
    states = {b"": 1.0}
    total = wasted = 0.0
    stepper_of = {b"": vocabulary.encode("\n").tolist()}
    while states:
        begun = list(states)[:4096]
        stepper = Stepper(run.model, run.params, len(begun))
        paths = [stepper_of.pop(b) for b in begun]
        for column in zip(*paths, strict=True):
            logits = stepper.step(np.array(column))
        p = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(float)
        p /= p.sum(axis=1, keepdims=True)
        masks = np.zeros_like(p)
        for b, prefix in enumerate(begun):
            constraint = WholeCharacters(vocabulary, 1)
            for byte in prefix:
                constraint.drawn(np.array([own + byte]))
            constraint.forbid(masks[b : b + 1])
        kept = np.where(np.isneginf(masks), 0, p)
        wasted += float(sum(states[b] * (1 - kept[i].sum()) for i, b in enumerate(begun)))
        kept /= kept.sum(axis=1, keepdims=True)
        for i, b in enumerate(begun):
            before = states.pop(b)
            total += before * float(kept[i, :own].sum())
            for byte in np.flatnonzero(kept[i, own:]).tolist():
                chance, longer = before * float(kept[i, own + byte]), b + bytes([byte])
                try:
                    longer.decode()
                    total += chance
                except UnicodeDecodeError:
                    states[longer], stepper_of[longer] = chance, [*paths[i], own + byte]
    assert total == pytest.approx(1, abs=1e-9)
    assert wasted > 0


def test_a_run_keeps_its_fallback_and_is_the_same_when_it_is_read(run, tmp_path):
    checkpoint.save(run, tmp_path / "a.npz")
    again = checkpoint.load(tmp_path / "a.npz")
    assert again.task == run.task
    assert again.task.vocabulary.fallback
    assert again.model.vocab_size == len(run.task.vocabulary.symbols) + 256


def test_a_document_counts_its_characters_and_its_end(rng):
    data = DataConfig(documents="lines", min_count=2)
    documents = Documents("names", 1, "x", [f"{name}{n}" for n in range(30) for name in ("é漢a", "🦊b")])
    batching = Batching(3, 8, 1, None)
    run = prepare(configuration(data__documents="lines", data__min_count=2), documents).run
    run.params.vector[...] = rng.normal(0, 0.5, run.params.vector.size)
    task = run.task
    assert isinstance(task, DocumentModel)
    assert task.end == len(task.vocabulary.symbols) + 256
    unseen = Documents("others", 1, "y", ["Ωa", "漢", "bb🦊é"])
    report = task.report(run.model, run.params, task.part(unseen, data, batching))
    nats = [nats_by_hand(run, [task.end, *task.vocabulary.encode(text), task.end]) for text in unseen.texts]
    assert report["chars"] == sum(len(text) + 1 for text in unseen.texts)
    assert report["bytes"] == sum(len(text.encode()) + 1 for text in unseen.texts)
    assert report["nats_per_char"] == pytest.approx(sum(map(sum, nats)) / report["chars"])


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"data__encoding": "bytes"}, "data.encoding"), ({"data__split_by": "columns"}, "data.split_by")],
)
def test_where_nothing_can_be_spelled_it_is_refused(changes, named):
    encoding = changes.get("data__encoding", "utf-8")
    with pytest.raises(ConfigError, match=named):
        prepare(configuration(**changes), decode([TEXT.encode()], "a text", encoding))


@pytest.mark.parametrize("task", ["classify", "tag", "transduce"])
def test_tasks_that_know_an_unknown_symbol_do_not_read_the_keys(task):
    from charrnn import tasks

    with pytest.raises(ConfigError, match=r"data\.min_count: the task"):
        tasks.find(task, DataConfig(min_count=2))


def test_python_scores_characters_and_names_bytes(run):
    from charrnn.interface.trained import TrainedRun

    trained = TrainedRun.of(run)
    characters = "漢é the 🦊Ω\n"
    vocabulary = run.task.vocabulary
    nats, place, expected = nats_by_hand(run, vocabulary.encode(characters)), len(vocabulary.encode("漢")) - 1, []
    for character in characters[1:]:
        size = len(vocabulary.encode(character))
        expected.append(sum(nats[place : place + size]))
        place += size
    np.testing.assert_allclose(trained.score(characters), expected, rtol=1e-5)
    names = trained.symbols
    assert len(names) == trained.logits(characters).shape[1]
    assert names[len(vocabulary.symbols) + 0xE6] == "<e6>"


@pytest.mark.parametrize("documents", [None, "lines"])
def test_bytes_begin_as_likely_as_they_are_and_characters_all_alike(documents):
    prepared = prepare(configuration(data__documents=documents, optim__average=0.9), examples_of(documents))
    run, vocabulary = prepared.run, prepared.run.task.vocabulary
    b, first = run.params["head.b"], len(vocabulary.symbols)
    assert not b[:first].any()
    bytes_ = b[first : first + 256]
    never, often = bytes_[0xFF], bytes_[0xE4]  # with which a rare character of this text begins
    assert never == bytes_.min() < -3
    assert never < often - 2 <= -2
    assert (run.average["head.b"] == b).all()


def examples_of(documents):
    texts = TEXT.split("\n")[:-1]
    return Documents("documents", len(TEXT), "0" * 64, texts) if documents else text_of(TEXT)
