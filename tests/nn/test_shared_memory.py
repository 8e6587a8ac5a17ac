"""Batches of all shapes are worked on in one memory: nothing of one may be left in another."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from architectures import ARCHITECTURES
from task_networks import NETWORKS, batch_of, items_of, network, random_params

from charrnn.nn.parameters import Parameters

SHAPES = [[(3, 4), (1, 6), (5, 1), (2, 2)], [(7, 2)] * 6, [(2, 9)], [(4, 4)] * 2]


def results(model, params, batch):
    """Loss, gradients and predictions, as bytes; what is random is drawn from the same seed."""
    grads = Parameters(model.shapes, np.full_like(params.vector, np.nan))
    noise = model.noise_of_seed(3, batch, np.float64)
    loss, _ = model.loss_and_grads(params, batch, model.zero_state(batch.num_rows, np.float64), grads, noise)
    return loss, grads.vector.tobytes(), model.predict(params, batch).tobytes()


def assert_nothing_is_left(model):
    """Batches come to the same in memory that other shapes have filled with what is no number as in new memory."""
    rng = np.random.default_rng(0)
    params = random_params(model, rng)
    ruined = Parameters(model.shapes, np.full_like(params.vector, np.nan))
    batches = [batch_of(model, items_of(model, lengths, rng), rng, padding=k % 2) for k, lengths in enumerate(SHAPES)]
    fresh = [results(copy.deepcopy(model), params, batch) for batch in batches]
    for _ in range(2):
        for batch, expected in zip(batches, fresh, strict=True):
            for other in batches:
                results(model, ruined, other)
            assert results(model, params, batch) == expected


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"embedding_size": 2, "dropout": 0.3}], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_of_one_shape_is_left_in_another(name, options):
    assert_nothing_is_left(network(name, cell="lstm", **options))


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_so_it_is_in_every_architecture(architecture):
    chosen = {option: value for option, value in architecture.items() if option != "bidirectional"}
    name = "tag-both" if architecture.get("bidirectional") else "generate"
    assert_nothing_is_left(network(name, **chosen))
