"""The parts of examples that are many: one to train on, one to validate on, one to test on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Ids
from charrnn.errors import DataError
from charrnn.text.documents import Documents
from charrnn.text.items import split_items
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs

Some = TypeVar("Some", Pairs, Documents)


def cut_in_parts(
    examples: Some, keys: Sequence[str], data: DataConfig, seed: int, taken: Callable[[Some, Ids], Some]
) -> dict[str, Some | None]:
    """Returns the parts `train`, `validation` and `test`; equal `keys` are never in two. None for an empty one.

    A part that has a file of its own takes no share of the others' file. `taken` returns some of the examples, by their
    numbers. Raises DataError where nothing is left.
    """
    _, of_validation, of_test = data.split
    shares: tuple[float, float] = of_validation * (examples.validation is None), of_test * (examples.test is None)
    numbers = split_items(keys, (1 - sum(shares), shares[0], shares[1]), seed)
    train, validation, test = (taken(examples, some) for some in numbers)
    found = {"train": train, "validation": examples.validation or validation, "test": examples.test or test}
    for name, share in zip(found, (1.0, *shares), strict=True):
        if share and not len(found[name]):
            different = len(set(keys))
            count = f"{len(examples)}" + f", of which {different} differ" * (different < len(examples))
            few = isinstance(examples, Pairs) and 10 * different < len(examples)
            mend = (
                f"if the columns are swapped, {advice.setting('data.columns', [2, 1])}"
                if few
                else f"leave the part out with {advice.setting('data.split', [1, 0, 0])}"
            )
            raise DataError(f"{examples.name} has too few items for a {name} part: {count}; add some, or {mend}")
    return {name: part if len(part) else None for name, part in found.items()}


def part_named(name: str | None, examples: Some, parts: Callable[[], dict[str, Some | None]]) -> Some:
    """Returns the part of that name of those that `parts` returns; for None all examples. Raises DataError for none."""
    if name is None:
        return examples
    try:
        part = parts()[name]
    except DataError as error:
        raise DataError(
            f"{examples.name} has too few items to be split as the run's data were; leave out --split"
        ) from error
    if part is None:
        raise DataError(f"the run's data.split leaves no {name} part; leave out --split")
    return part


def taken(pairs: Pairs, numbers: Any) -> Pairs:
    """Returns some of the pairs."""
    chosen = [int(i) for i in numbers]
    return Pairs(
        pairs.name,
        pairs.size,
        pairs.sha256,
        [pairs.first[i] for i in chosen],
        [pairs.second[i] for i in chosen],
        [pairs.files[i] for i in chosen] if pairs.files else (),
        [pairs.lines[i] for i in chosen] if pairs.lines else [i + 1 for i in chosen],
        encoding=pairs.encoding,
    )


def taken_documents(documents: Documents, numbers: Ids) -> Documents:
    """Returns some of the documents."""
    chosen = numbers.tolist()
    texts = [documents.texts[i] for i in chosen]
    labels = documents.labels and [documents.labels[i] for i in chosen]
    lines = [documents.numbers[i] if documents.numbers else i + 1 for i in chosen]
    files = documents.files and [documents.files[i] for i in chosen]
    given = documents.name, documents.size, documents.sha256, texts, labels
    return Documents(*given, numbers=lines, files=files, encoding=documents.encoding)


@dataclass(frozen=True)
class Items:
    """Holds items as numbers, and as they were read."""

    sources: list[Ids]
    answers: list[Ids]
    """What should come out; -1 is what the task does not know, and no answer can equal."""
    pairs: Pairs

    def __len__(self) -> int:
        return len(self.sources)

    @cached_property
    def lengths(self) -> Array:
        """How many symbols each item has: (N, 2)."""
        return np.array([[len(source), len(answer)] for source, answer in zip(self.sources, self.answers, strict=True)])

    def first(self, most: int | None) -> Items:
        """Returns the items up to about `most` symbols; all for None."""
        if most is None or not len(self):
            return self
        return self.some(np.arange(max(1, int(np.searchsorted(self.lengths.sum(axis=1).cumsum(), most, side="right")))))

    def some(self, numbers: Ids) -> Items:
        """Returns the items of these numbers."""
        chosen = numbers.tolist()
        sources, answers = ([ids[i] for i in chosen] for ids in (self.sources, self.answers))
        return Items(sources, answers, taken(self.pairs, chosen))


def joined(parts: Sequence[Items]) -> Items:
    """Returns the items of several parts as one."""
    pairs = [part.pairs for part in parts]
    first, second = (
        [text for some in texts for text in some] for texts in zip(*((p.first, p.second) for p in pairs), strict=True)
    )
    together = Pairs(pairs[0].name, sum(some.size for some in pairs), "", first, second)
    sources, answers = ([ids for part in parts for ids in getattr(part, name)] for name in ("sources", "answers"))
    return Items(sources, answers, together)


def cut_in_pieces(items: Items, inputs: Sequence[str], count: int) -> list[Items | None]:
    """Cuts items in pieces that are judged apart; None where there are too few.

    All items of one of the `inputs` are in one piece, as what is right for it may be said by several.
    """
    numbers = {text: number for number, text in enumerate(dict.fromkeys(inputs))}
    piece_of = np.array([numbers[text] % count for text in inputs])
    chosen = (np.flatnonzero(piece_of == k) for k in range(count))
    return [items.some(some) if len(some) else None for some in chosen]
