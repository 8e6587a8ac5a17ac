"""Every gradient of the networks of tasks, over rows of unlike length, against oracles that share no backward pass."""

from __future__ import annotations

import numpy as np
import pytest
from architectures import ARCHITECTURES, KINDS
from task_networks import CONTEXTS, NETWORKS, batch_of, items_of, network

from charrnn.judging.gradcheck.subject import check_model
from charrnn.nn.options import ModelConfig
from charrnn.tasks import TASKS, find

LENGTHS = [(3, 4), (1, 6), (5, 1), (2, 0)]
EACH = "classify-mean-both", "tag-both", "generate", "transduce-additive-both"
"""A network of each task."""
ON_ITEMS = [name for name in TASKS if name != "language_model"]


def wrong(rows, tolerance=1e-6):
    return [row for row in rows if not (row.ok and row.error <= tolerance)]


def check_network(model, oracle):
    """Over a batch with padding, a row of padding alone, and a source of no symbol."""
    rows = check_model(
        model, oracle, draw=lambda rng: batch_of(model, items_of(model, LENGTHS, rng), rng, padding=1, empty=1)
    )
    assert {row.name: row.shape for row in rows if row.name != "loss"} == model.shapes
    assert all(row.checked == np.prod(row.shape) for row in rows)
    return rows


@pytest.mark.parametrize("name", NETWORKS)
def test_every_gradient_of_a_network_is_that_of_finite_differences(name):
    assert wrong(check_network(network(name), "finite-difference")) == []


@pytest.mark.parametrize("options", [{"num_layers": 2, "initial_state": "learned"}, {"embedding_size": 2}], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_gradient_of_a_network_is_that_of_the_complex_step(name, options):
    assert wrong(check_network(network(name, cell="lstm", **options), "complex-step"), 1e-12) == []


def without_direction(architecture):
    return {option: chosen for option, chosen in architecture.items() if option != "bidirectional"}


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("name", ["classify-max-both", "transduce-dot-both"])
def test_so_is_that_of_every_cell(name, cell):
    assert wrong(check_network(network(name, **KINDS[cell]), "complex-step"), 1e-12) == []


OF_CELLS = {
    name: without_direction(chosen)
    for name, chosen in ARCHITECTURES.items()
    if name.startswith(("lstm-tanh", "gru-tanh")) or (chosen["cell"] == "lstm_peephole" and "everything" in name)
}


@pytest.mark.parametrize("architecture", OF_CELLS.values(), ids=OF_CELLS)
@pytest.mark.parametrize("name", EACH)
def test_so_is_that_with_every_option(name, architecture):
    assert wrong(check_network(network(name, **architecture), "complex-step"), 1e-12) == []


@pytest.mark.parametrize("embedding_size", [None, 2])
@pytest.mark.parametrize("name", ["tag-one", "generate"])
def test_what_reads_forward_is_judged_by_real_time_recurrent_learning_too(name, embedding_size):
    assert wrong(check_network(network(name, embedding_size=embedding_size), "rtrl"), 1e-11) == []


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("name", ["tag-one", "tag-both"])
def test_a_tagger_is_judged_by_the_textbook_too(name, cell):
    rows = check_network(network(name, **KINDS[cell], num_layers=2, initial_state="learned"), "textbook")
    assert wrong(rows, 1e-11) == []
    assert "loss" in {row.name for row in rows}


# --- what the tasks themselves give `gradcheck` ---


def configs_of(task):
    both = (True, False, None) if task != "generate" else (None,)
    for bidirectional in both:
        if task == "classify":
            for pooling in ("last", "mean", "max"):
                yield ModelConfig("gru", 3, bidirectional=bidirectional, pooling=pooling)
        elif task == "transduce":
            for chosen in CONTEXTS.values():
                yield ModelConfig("gru", 3, bidirectional=bidirectional, **chosen)
        else:
            yield ModelConfig("gru", 3, bidirectional=bidirectional)


@pytest.mark.parametrize(
    ("task", "config"),
    [pytest.param(t, c, id=f"{t}-{k}") for t in ON_ITEMS for k, c in enumerate(configs_of(t))],
)
def test_the_network_that_a_task_gives_has_exact_gradients(task, config):
    model, draw = find(task).probe(config)
    assert wrong(check_model(model, "complex-step", draw=draw), 1e-12) == []


@pytest.mark.parametrize("task", ON_ITEMS)
def test_the_batches_that_a_task_gives_are_hard(task):
    _, draw = find(task).probe(ModelConfig())
    batch = draw(np.random.default_rng(0))
    lengths = [batch.lengths] if batch.source is None else [batch.lengths, batch.source_lengths]
    for some, symbols in zip(lengths, (batch.x, batch.source), strict=False):
        assert some.min() < some.max() == len(symbols)
        assert some[0] < some.max() or some[-1] < some.max()
    assert batch.weights is not None
    assert len(set(batch.weights[batch.weights > 0].tolist())) > 1
