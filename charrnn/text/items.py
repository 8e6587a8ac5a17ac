"""Items of unlike length: which part each is in, which are read side by side, and how they are filled up.

An item is a short text of its own, such as a name. Items that are read side by side are padded to the longest of them,
and what is padded is work for nothing; so those of like length are put together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.text.vocabulary import Vocabulary

RARE = 0.25
"""A character seen n times is taken for unknown with a probability of RARE / (RARE + n).

Kiperwasser and Goldberg (2016) do so with words.
"""


def split_items(keys: Sequence[Hashable], shares: tuple[float, float, float], seed: int) -> tuple[Ids, Ids, Ids]:
    """Returns which items are in the training part, the validation part and the test part: their numbers, shuffled.

    Items with equal `keys` are never in two parts. The parts have as many items as the shares ask for, as nearly as
    that allows; one may be empty. Large groups of equal items are placed first, each where most is missing.
    """
    rng = np.random.default_rng(seed)
    numbers: dict[Hashable, int] = {}
    groups = np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), np.int64, len(keys))  # (N,)
    sizes = np.bincount(groups, minlength=len(numbers))
    missing = np.asarray(shares, np.float64) * len(keys)  # (3,), items
    part_of = np.empty(len(sizes), np.int64)

    order = rng.permutation(len(sizes))
    large = sizes[order] > max(1.0, missing[missing > 0].min(initial=np.inf) / 2)
    for group in sorted(order[large].tolist(), key=lambda group: -sizes[group]):
        part_of[group] = missing.argmax()
        missing[part_of[group]] -= sizes[group]

    order = order[~large]
    ends = sizes[order].cumsum()
    middles = ends - sizes[order] / 2  # a group is in the part in which more of it would be
    missing = missing.clip(0)
    cuts = missing.cumsum()[:2] * (ends[-1] / missing.sum() if len(ends) and missing.any() else 1.0)
    part_of[order] = np.searchsorted(cuts, middles)

    shuffled = rng.permutation(len(keys))
    train, validation, test = (shuffled[part_of[groups[shuffled]] == part] for part in range(3))
    return train, validation, test


def alike_up_to(lengths: Ids, padding: float) -> Ids:
    """Returns for each of `lengths (N,)` the longest of those that it may share batches with, so that they mix: (N,).

    From the longest down, as many lengths are taken together as padding is at most that share of their steps.
    """
    values, counts = np.unique(lengths, return_counts=True)
    alike = np.empty_like(values)
    items = symbols = longest = 0
    for k in range(len(values) - 1, -1, -1):
        items, symbols = items + counts[k], symbols + counts[k] * values[k]
        if symbols < (1 - padding) * items * longest or not longest:
            items, symbols, longest = counts[k], counts[k] * values[k], values[k]
        alike[k] = longest
    found: Ids = alike[np.searchsorted(values, lengths)]
    return found


@dataclass(frozen=True)
class Buckets:
    """Puts items of like length together, in batches that hold about `chars` symbols each, padding included.

    Items are sorted by length and cut at the same places in every epoch, so that as many batches of the same shapes
    come in each. What differs is the order of the batches, and which items of equal length share one.
    """

    lengths: Array
    """How many symbols each item has: (N,), or (N, K) where an item is K sequences, such as a source and its target."""
    chars: int
    """How many symbols a batch has at most, unless it has but one item: its items times what the longest take."""
    seed: int
    """Decides the orders."""
    _kept: dict[int, tuple[Ids, Ids]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        """Returns how many batches an epoch has."""
        return len(self._cuts) - 1

    @property
    def padded(self) -> float:
        """Which share of all steps is padding."""
        sizes = np.diff(self._cuts)
        longest = np.maximum.reduceat(self._sorted, self._cuts[:-1], axis=0) if len(sizes) else self._sorted
        steps = float((sizes[:, None] * longest).sum())
        return 1 - float(self._sorted.sum()) / steps if steps else 0.0

    def rows(self, iteration: int) -> Ids:
        """Returns the numbers of the items in the batch of an iteration, the longest first: always the same."""
        epoch, batch = divmod(iteration, len(self))
        if epoch not in self._kept:
            kept = self._orders(epoch)
            self._kept.clear()
            self._kept[epoch] = kept
        items, batches = self._kept[epoch]
        start, stop = self._cuts[batches[batch] : batches[batch] + 2]
        return items[start:stop]

    def _orders(self, epoch: int) -> tuple[Ids, Ids]:
        """Returns the items (N,) in the order in which they are cut, and the order of the batches, in an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        items = rng.permutation(len(self._ranks))
        return items[np.argsort(self._ranks[items], kind="stable")], rng.permutation(len(self))

    @cached_property
    def _table(self) -> Array:
        """The lengths as a table (N, K)."""
        lengths = np.asarray(self.lengths)
        return lengths[:, None] if lengths.ndim == 1 else lengths

    @cached_property
    def _ranks(self) -> Ids:
        """Where each item stands in the order of lengths, (N,): the longest have 0, and equal ones the same.

        Those of equal first length are sorted by the second, upwards and downwards in turn, so that the second does not
        jump from its shortest to its longest where the first changes.
        """
        distinct, inverse = np.unique(self._table, axis=0, return_inverse=True)
        firsts = np.unique(distinct[:, 0], return_inverse=True)[1] if len(distinct) else np.zeros(0, np.int64)
        turns = np.where(firsts % 2 == 0, 1, -1)
        order = np.lexsort([*(turns * column for column in distinct.T[:0:-1]), -firsts])
        ranks = np.empty(len(distinct), np.int64)
        ranks[order] = np.arange(len(distinct))
        return ranks[inverse.ravel()].astype(np.min_scalar_type(max(len(distinct) - 1, 0)))

    @cached_property
    def _sorted(self) -> Array:
        """The lengths (N, K) in the order of the ranks, which is the same in every epoch."""
        return self._table[np.argsort(self._ranks, kind="stable")]

    @cached_property
    def _cuts(self) -> Ids:
        """Where in this order batches begin, and where the last ends."""
        lengths, cuts = self._sorted.clip(1), [0]  # an empty sequence takes a step too, of padding
        while (start := cuts[-1]) < len(lengths):
            most = max(1, self.chars // int(lengths[start].sum()))
            longest = np.maximum.accumulate(lengths[start : start + most], axis=0).sum(axis=1)
            fit = np.arange(1, len(longest) + 1) * longest <= self.chars
            cuts.append(start + max(1, int(fit.sum())))
        return np.array(cuts)


def encode_items(vocabulary: Vocabulary, texts: Sequence[str], unknown: int | None = None) -> list[Ids]:
    """Returns the ids of each text. Characters that the vocabulary lacks become `unknown`.

    Raises DataError that names them where that is None.
    """
    joined = "".join(texts)
    stops = np.fromiter(map(len, texts), np.int64, len(texts)).cumsum()
    if unknown is not None:
        ids = vocabulary.encode_known(joined, unknown)
    elif vocabulary.fallback:
        spelled, sizes = vocabulary.spellings(joined)
        ids = spelled[np.arange(spelled.shape[1]) < sizes[:, None]]
        stops = np.concatenate([[0], sizes.cumsum()])[stops]
    else:
        ids = vocabulary.encode(joined)
    return [ids[start:stop] for start, stop in zip([0, *stops.tolist()], stops.tolist(), strict=False)]


def pad(sequences: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Returns the sequences side by side, (T, B), and their lengths (B,). What is behind a shorter one is 0.

    T is that of the longest, and at least 1.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    flat: Ids = np.concatenate(sequences) if len(sequences) else np.zeros(0, np.uint8)
    steps = np.arange(max(1, lengths.max(initial=1)))
    padded = np.zeros((len(lengths), len(steps)), flat.dtype)
    padded[steps < lengths[:, None]] = flat
    return np.ascontiguousarray(padded.T), lengths


def replace_rare(ids: Ids, counts: Array, unknown: int, seed: int, iteration: int) -> Ids:
    """Returns ids of any shape, in which a character is now and then `unknown`, and the rarer the more often.

    So a model learns what to do with characters that it never saw. A character of which the training part has
    `counts (V,)[id]` is replaced with a probability of RARE / (RARE + count); ids from V on stay. For the same seed and
    iteration the same are.
    """
    counts = np.asarray(counts, np.float64)
    probabilities = np.zeros(max(len(counts), unknown + 1, int(ids.max(initial=0)) + 1))
    probabilities[: len(counts)] = RARE / (RARE + counts)
    drawn = np.random.default_rng([seed, iteration, 1]).random(ids.shape)
    replaced = ids.astype(np.promote_types(ids.dtype, np.min_scalar_type(unknown)))
    replaced[drawn < probabilities[ids]] = unknown
    return replaced
