"""The parts of examples that are many: one to train on, one to validate on, one to test on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from charrnn import advice
from charrnn.arrays import Ids
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
    )
