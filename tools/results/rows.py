"""The rows of the table of results: what each is made of, and which figure counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from results import cutting
from results.cutting import Parts


class Row(NamedTuple):
    """A result."""

    task: str
    cut: Callable[[Path, str], Parts]
    file: str
    """In the directory of data, or what else `cut` asks for."""
    figures: tuple[str, ...]
    """Of what the task reports; the first one counts."""
    seeds: int = 3
    beam: int = 1
    variants: Mapping[str, tuple[str, ...]] = MappingProxyType({"": ()})
    """What is trained, to compare: settings by name, over those of the config."""
    config: str | None = None
    """The name of the config, where it is not that of the row."""
    made: bool = False
    """Whether the pairs are made by `cut`, and not read."""
    pretrain: tuple[str, ...] = ()
    """Settings of the language model of the training texts that the variant PRETRAINED begins with."""


PRETRAINED = "from a language model of the training texts"
ONE_DIRECTION = {"both directions": (), "one direction": ("model.bidirectional=false",)}
SMALL = ("model.hidden_size=128", "train.time_budget=null", "train.epochs=2", "train.threads=1")
CONTEXTS = {way: (f"model.context={way}", *SMALL) for way in ("attention", "affine", "last")}

ROWS = {
    "names": Row("classify", cutting.labelled, "names_by_language.tsv", ("accuracy", "macro_f1", "mcc", "nats")),
    "sms": Row(
        "classify",
        cutting.messages,
        "sms_spam.tsv",
        ("accuracy", "mcc", "macro_f1", "nats"),
        variants={"from nothing": (), PRETRAINED: ()},
        pretrain=(
            *("model.cell=gru", "model.hidden_size=128", "model.dropout=0.3", "optim.learning_rate=6e-3"),
            *("train.batch_size=16", "train.epochs=20", "train.threads=1"),
        ),
    ),
    "splice": Row(
        "classify", cutting.labelled, "splice.tsv", ("accuracy", "macro_f1", "mcc", "nats"), variants=ONE_DIRECTION
    ),
    "cmudict": Row(
        "transduce", cutting.words, "cmudict_train.tsv cmudict_test.tsv", ("exact_match", "edit_rate"), seeds=1, beam=5
    ),
    "contexts": Row(
        "transduce",
        cutting.words,
        "cmudict_train.tsv cmudict_test.tsv",
        ("exact_match", "edit_rate"),
        seeds=1,
        variants=CONTEXTS,
        config="cmudict",
    ),
    "sums": Row("transduce", cutting.sums, "50000 reversed", ("exact_match", "edit_rate"), seeds=1, made=True),
    "many-sums": Row(
        "transduce",
        cutting.sums,
        "200000 reversed",
        ("exact_match", "edit_rate"),
        seeds=1,
        variants={"": ("train.epochs=10",)},
        config="sums",
        made=True,
    ),
    "capitals": Row(
        "tag",
        cutting.lines,
        "../warpeace_input.txt",
        ("f1", "accuracy", "item_accuracy"),
        seeds=1,
        variants=ONE_DIRECTION,
        made=True,
    ),
}
