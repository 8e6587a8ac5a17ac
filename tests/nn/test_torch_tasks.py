"""PyTorch's networks for tasks against the models: what they compute over packed sequences, and how they learn.

What is stored, and how PyTorch's two biases became one, is told in tools/makers/make_torch_tasks.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from charrnn.arrays import Batch
from charrnn.nn.classifier import Classifier
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters

STORED = dict(np.load(Path(__file__).parents[1] / "fixtures" / "torch_tasks.npz"))
LAYOUTS = json.loads(str(STORED["layouts"]))
TOLERANCE = 1e-12
V, K, H, E = 4, 3, 3, 2
TRANSDUCE = {
    "last": {"context": "last"},
    "affine-mean": {"context": "affine", "pooling": "mean"},
    "affine-max": {"context": "affine", "pooling": "max"},
    "dot": {"attention": "dot"},
    "additive": {"attention": "additive", "embedding_size": E},
}


def model_of(case):
    task, cell, how = case.split("/")
    common = {"cell": cell, "hidden_size": H, "bidirectional": True}
    if task == "classify":
        return Classifier(vocab_size=V, outputs=K, pooling=how, **common)
    if task == "tag":
        deep = {"embedding_size": E, "num_layers": 2} if how == "embedded" else {}
        return CharLM(vocab_size=V, outputs=K, **deep, **common)
    return EncoderDecoder(source_size=V, target_size=K, **TRANSDUCE[how], **common)


def batch_of(case, dtype=float):
    """The batch, in which nothing counts that is behind an answer's end."""
    task = case.split("/")[0]
    given = {key.removeprefix(f"{task}:"): array for key, array in STORED.items() if key.startswith(f"{task}:")}
    weights = None if task == "classify" else (np.arange(len(given["x"]))[:, None] < given["lengths"]).astype(dtype)
    return Batch(**given, starts=None, weights=weights)


def filled(model, case, flat):
    """Parameters of the model, or their gradients, from what is stored in the order of PyTorch's."""
    params, at = Parameters.zeros(model.shapes, np.float64), 0
    layout = LAYOUTS[case]
    assert {name: tuple(shape) for name, shape in layout.items()} == model.shapes
    for name, shape in layout.items():
        size = int(np.prod(shape))
        params[name][...] = flat[at : at + size].reshape(shape)
        at += size
    assert at == len(flat)
    return params


def start(case):
    model = model_of(case)
    return model, filled(model, case, STORED[f"{case}:params"] / 1000), batch_of(case)


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_network_of_a_task_computes_what_pytorch_does(case):
    model, params, batch = start(case)
    grads = Parameters(model.shapes, np.full_like(params.vector, np.nan))
    loss, _ = model.loss_and_grads(params, batch, [], grads)
    assert loss == pytest.approx(float(STORED[f"{case}:loss"]), rel=TOLERANCE)
    logits, counts = model.predict(params, batch), 1.0 if batch.weights is None else batch.weights[..., None]
    np.testing.assert_allclose(logits * counts, STORED[f"{case}:logits"], TOLERANCE, TOLERANCE)
    expected = filled(model, case, STORED[f"{case}:grads"])
    for name in expected:
        np.testing.assert_allclose(grads[name], expected[name], TOLERANCE, TOLERANCE, err_msg=name)
        assert np.abs(expected[name]).max() > 1e-5, name


@pytest.mark.parametrize("case", LAYOUTS)
def test_five_updates_of_it_give_the_losses_that_pytorch_has(case):
    model, params, batch = start(case)
    grads, losses = Parameters.zeros(model.shapes, np.float64), []
    for _ in STORED[f"{case}:losses"]:
        loss, _ = model.loss_and_grads(params, batch, [], grads)
        losses.append(loss)
        params.vector -= STORED["rate"] * grads.vector
    np.testing.assert_allclose(losses, STORED[f"{case}:losses"], rtol=0, atol=1e-11)
    assert len(losses) == 6
    assert np.abs(np.diff(losses)).min() > 1e-3  # each update shows


def test_every_way_to_pool_and_to_look_is_compared():
    assert {case.rsplit("/")[2] for case in LAYOUTS if case.startswith("classify")} == {"last", "mean", "max"}
    assert {case.rsplit("/")[2] for case in LAYOUTS if case.startswith("transduce")} == set(TRANSDUCE)
    lengths = STORED["classify:lengths"], STORED["transduce:source_lengths"], STORED["transduce:lengths"]
    assert all(len(set(some.tolist())) == len(some) for some in lengths)
