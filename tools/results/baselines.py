"""What is reached without a network, from the same examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from charrnn.judging import scores
from charrnn.judging.baselines import MostFrequent, MostFrequentTag
from charrnn.judging.ngrams import NGramModel
from results.cutting import Pair

Figures = dict[str, float]


def of(task: str, train: list[Pair], test: list[Pair]) -> Iterator[tuple[str, Figures]]:
    """Names of baselines of a task, each with its figures."""
    if task == "classify":
        yield from _of_labels(train, test)
    elif task == "tag":
        yield from _of_tags(train, test)


def _of_labels(train: list[Pair], test: list[Pair]) -> Iterator[tuple[str, Figures]]:
    number = {label: k for k, label in enumerate(sorted({label for label, _ in train + test}))}
    (labels, texts), (truth, asked) = (
        (np.array([number[label] for label, _ in part]), [text for _, text in part]) for part in (train, test)
    )
    for name, model in (
        ("the most frequent label", MostFrequent.fit(labels)),
        ("n-grams of 1 to 5 characters, logistic regression", NGramModel.fit(texts, labels, len(number))),
    ):
        answers = model.predict(asked)
        table = scores.confusion(truth, answers, len(number))
        accuracy = scores.accuracy(truth, answers)
        yield name, {"accuracy": accuracy, "macro_f1": scores.macro_f1(table), "mcc": scores.mcc(table)}


def _of_tags(train: list[Pair], test: list[Pair]) -> Iterator[tuple[str, Figures]]:
    sources, targets = zip(*test, strict=True)
    likeliest = MostFrequentTag.fit(*zip(*train, strict=True)).predict(sources)
    for name, answers in (("the source itself", sources), ("each character's likeliest answer", likeliest)):
        pairs = zip("".join(answers), "".join(targets), strict=True)
        right = sum(a == b for a, b in pairs)
        whole = sum(answer == target for answer, target in zip(answers, targets, strict=True))
        yield (
            name,
            {
                "f1": f1_of_changes(sources, targets, answers),
                "accuracy": right / sum(map(len, targets)),
                "item_accuracy": whole / len(targets),
            },
        )


def f1_of_changes(sources: Sequence[str], targets: Sequence[str], answers: Sequence[str]) -> float:
    """F1 of the characters that are not as in the source: how many are found, and how many of those found are right."""
    changed = asked = right = 0
    for texts in zip(sources, targets, answers, strict=True):
        for source, target, answer in zip(*texts, strict=True):
            changed += source != target
            asked += source != answer
            right += source != target == answer
    return 2 * right / max(1, changed + asked)
