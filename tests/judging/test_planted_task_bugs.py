"""The tester is tested on the networks of tasks: each bug, once planted, is caught, and told is by which check.

There are four. The gradient is compared with finite differences, which know the forward pass alone and so are blind to
a mistake that both passes share. The law of padding compares a batch with its items one by one. The reference knows the
equations, one item and one step at a time. And what is decoded must be as likely as the training graph says.
"""

from __future__ import annotations

import numpy as np
import pytest
import task_reference
from task_networks import Item, batch_of, deviations, items_of, network, random_params

from charrnn.judging.gradcheck.check import RTOL
from charrnn.judging.gradcheck.subject import check_model
from charrnn.nn import attention, decoding, pooling, stack, unroll
from charrnn.nn.decoding import decode
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.numerics import log_softmax
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import Stack
from charrnn.nn.stepper import StackStepper
from charrnn.tasks.transduce import Transduce
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs

LENGTHS = [(3, 4), (1, 6), (5, 1), (2, 2)]
VISIBLE = 1e-4
NOWHERE, GRADIENT, FORWARD = set(), {"gradient"}, {"padding", "reference"}


def batches(model):
    """What draws batches with padding."""
    return lambda rng: batch_of(model, items_of(model, LENGTHS, rng), rng, padding=1)


def wrong_gradients(model):
    """The names of the parameters whose gradient is not that of the loss."""
    return {row.name for row in check_model(model, draw=batches(model)) if row.error > RTOL}


def misses_the_reference(model):
    rng = np.random.default_rng(0)
    params, items = random_params(model, rng), items_of(model, LENGTHS, rng)
    loss, _ = model.loss(params, batch_of(model, items, rng, padding=2), [])
    return abs(loss - task_reference.loss(model, params, items)) > VISIBLE


def misses_the_graph(model):
    """Whether the answers of a beam are not as likely as the training graph says."""
    rng = np.random.default_rng(0)
    params, items = random_params(model, rng), items_of(model, LENGTHS, rng)
    params.vector *= 2
    batch, end = batch_of(model, items, rng), model.target_size - 1
    answers = decode(model, params, batch, np.full(len(items), 4), beam=3)
    for n in range(3):
        y = np.concatenate([answers.symbols[:, n], np.full((len(items), 1), end)], axis=1).T
        x = np.concatenate([np.full((1, len(items)), end), y[:-1]])
        log_p = log_softmax(model.predict(params, batch._replace(x=x, y=y, weights=None, lengths=None)))
        each = np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0]
        expected = np.where(np.arange(len(y))[:, None] <= answers.lengths[:, n], each, 0).sum(axis=0)
        if np.abs(expected - answers.log_probabilities[:, n]).max() > VISIBLE:
            return True
    return False


def catching(model):
    """The names of the checks that notice something."""
    found = {
        "gradient": bool(wrong_gradients(model)),
        "padding": max(deviations(model, LENGTHS).values()) > VISIBLE,
        "reference": misses_the_reference(model),
    }
    if isinstance(model, EncoderDecoder):
        found["decoding"] = misses_the_graph(model)
    return {name for name, noticed in found.items() if noticed}


@pytest.fixture
def plant(monkeypatch):
    """Puts `bug(right, *arguments)` in the place of `owner.name`."""

    def put(owner, name, bug):
        right = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, **more: bug(right, *given, **more))

    return put


@pytest.fixture
def reverse(plant):
    """Tells whether a tape is that of a layer which reads from the end."""
    tapes = []

    def remember(right, self, *given):
        made = right(self, *given)
        tapes.extend(made[1::2] if self.bidirectional else [])
        return made

    plant(Stack, "tapes", remember)
    return lambda tape: any(tape is one for one in tapes)


EVERY = [
    "classify-last-both",
    "classify-mean-both",
    "tag-both",
    "generate",
    "transduce-last-both",
    "transduce-dot-both",
]


@pytest.mark.parametrize("name", [*EVERY, "classify-max-one", "transduce-additive-one", "transduce-affine-mean-both"])
def test_without_a_bug_nothing_is_noticed(name):
    model = network(name)
    assert catching(model) == NOWHERE
    assert all(row.ok for row in check_model(model, draw=batches(model)))


# --- attention ---


def test_the_softmax_of_attention_forgets_its_mask(plant):
    def bug(right, params, h, encoded, lengths, *known):
        return right(params, h, encoded, np.full_like(lengths, encoded.shape[1]), *known)

    plant(attention, "forward", bug)
    assert catching(network("transduce-dot-both")) == FORWARD


def test_the_mask_of_attention_comes_after_the_softmax(plant):
    def bug(right, params, h, encoded, lengths, *known):
        seen = right(params, h, encoded, np.full_like(lengths, encoded.shape[1]), *known)
        p = seen.p * (np.arange(encoded.shape[1]) < lengths[:, None])[:, None]
        return seen._replace(p=p, context=p @ encoded)

    plant(attention, "forward", bug)
    assert catching(network("transduce-additive-both")) == FORWARD | GRADIENT


def test_a_decoder_looks_with_the_state_before_the_step(plant):
    def bug(right, params, h, *given):
        before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
        return right(params, before, *given)._replace(h=h)

    plant(attention, "forward", bug)
    assert catching(network("transduce-dot-both")) == GRADIENT | {"reference", "decoding"}


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_the_encoder_does_not_hear_of_attention(plant, score):
    def bug(right, *given):
        dh, dencoded = right(*given)
        return dh, np.zeros_like(dencoded)

    plant(attention, "backward", bug)
    model = network(f"transduce-{score}-both")
    assert catching(model) == GRADIENT
    assert wrong_gradients(model) == set(model.encoder.shapes())


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_the_decoder_does_not_hear_of_attention(plant, score):
    def bug(right, params, seen, out, dout, grads):
        right(params, seen, out, dout, grads)
        alone = (dout * (1 - out * out)) @ params["attention.output.W"][: seen.h.shape[-1]].T
        return alone, right(params, seen, out, dout, grads)[1]

    plant(attention, "backward", bug)
    model = network(f"transduce-{score}-both")
    assert catching(model) == GRADIENT
    below = {"context.W", "context.b"}
    assert wrong_gradients(model) == set(model.encoder.shapes()) | set(model.decoder.shapes()) | below


# --- context ---


@pytest.mark.parametrize("context", ["last", "affine-mean", "affine-max", "dot"])
def test_the_gradient_of_the_context_is_forgotten(plant, context):
    def bug(right, self, params, encoded, dcontext, *given):
        right(self, params, encoded, np.zeros_like(dcontext), *given)

    plant(EncoderDecoder, "_encode_backward", bug)
    model = network(f"transduce-{context}-both")
    of_context = set() if context == "last" else {"context.W", "context.b"}
    assert catching(model) == GRADIENT
    assert wrong_gradients(model) == set(model.encoder.shapes()) | of_context


def test_the_context_is_read_at_the_first_step_alone(plant):
    def bug(right, x, tape):
        right(x, tape)
        if tape.side_product is not None:
            tape.xW[1:] -= tape.side_product

    plant(unroll, "multiply_input", bug)
    assert catching(network("transduce-last-both")) == GRADIENT | {"reference", "decoding"}


def test_the_context_does_not_reach_the_decoder_that_writes(plant):
    plant(StackStepper, "__init__", lambda right, self, *given: right(self, *given[:-1], np.zeros_like(given[-1])))
    assert catching(network("transduce-last-both")) == {"decoding"}


def test_the_states_of_a_beam_stay_where_they_are(plant):
    plant(StackStepper, "choose", lambda right, self, rows: None)
    assert catching(network("transduce-dot-both")) == {"decoding"}


def test_an_answer_begins_with_another_symbol_than_in_training(plant):
    def bug(right, self, *given):
        right(self, *given)
        self.last = np.zeros_like(self.last)

    plant(decoding._Beams, "__init__", bug)
    assert catching(network("transduce-affine-one")) == {"decoding"}


# --- padding ---


@pytest.mark.parametrize("name", ["classify-mean-both", "transduce-affine-mean-both"])
def test_the_mean_of_a_row_is_over_its_padding_too(plant, name):
    plant(pooling, "_shares", lambda right, outputs, lengths: right(outputs, np.full_like(lengths, len(outputs))))
    assert catching(network(name)) == FORWARD


def test_the_maximum_of_a_row_may_be_in_its_padding(plant):
    plant(pooling, "_places", lambda right, outputs, lengths: outputs.argmax(axis=0)[None])
    # The state stays as it is there, so that it is the largest twice; but who reads from the end has not begun.
    assert catching(network("classify-max-one")) == NOWHERE
    assert catching(network("classify-max-both")) == FORWARD


@pytest.mark.parametrize("name", ["classify-last-one", "classify-last-both", "transduce-last-one"])
def test_the_last_state_is_that_of_the_padded_end(plant, name):
    plant(stack, "padding_of", lambda right, *given: None)
    assert catching(network(name)) == FORWARD


@pytest.mark.parametrize("name", ["classify-last-both", "tag-both", "transduce-dot-both"])
def test_a_layer_that_reads_from_the_end_starts_in_the_padding(plant, reverse, name):
    def bug(right, cell, params, x, state, starts, tape, *given, padding, side):
        return right(
            cell, params, x, state, starts, tape, *given, padding=None if reverse(tape) else padding, side=side
        )

    plant(unroll, "forward", bug)
    assert catching(network(name)) == FORWARD


def test_the_gradient_that_passes_padding_by_is_lost(plant):
    def bug(right, cell, params, tape, t, dstate):
        right(cell, params, tape, t, dstate)
        if tape.padding is not None and (ended := tape.padding[t]) is not None:
            for d in dstate.values():
                d[ended] = 0

    plant(unroll, "step_backward", bug)
    model = network("classify-last-one")
    assert catching(model) == GRADIENT | {"padding"}
    assert wrong_gradients(model) == set(model.stack.shapes())


@pytest.mark.parametrize("name", ["classify-last-one", "classify-last-both", "transduce-dot-both"])
def test_padding_is_differentiated_as_if_it_were_read(plant, name):
    def bug(right, cell, params, dh, dstate, tape, *given):
        tape.padding = None
        return right(cell, params, dh, dstate, tape, *given)

    plant(unroll, "backward", bug)
    assert catching(network(name)) == GRADIENT | {"padding"}


# --- both directions ---


@pytest.mark.parametrize("name", ["classify-last-both", "transduce-last-both"])
def test_the_last_states_are_joined_in_the_wrong_order(plant, name):
    def halves_swapped(pooled):
        return np.roll(pooled, pooled.shape[1] // 2, axis=1)

    plant(pooling, "last", lambda right, *given: halves_swapped(right(*given)))
    plant(pooling, "last_backward", lambda right, dpooled, *given: right(halves_swapped(dpooled), *given))
    assert catching(network(name)) == {"reference"}


@pytest.mark.parametrize("name", ["tag-both", "transduce-dot-both"])
def test_the_states_from_the_end_stand_in_the_order_they_were_read_in(plant, reverse, name):
    def bug(right, cell, params, x, state, starts, tape, *given, **more):
        h = right(cell, params, x, state, starts, tape, *given, **more)
        return h[::-1] if reverse(tape) else h

    def backward(right, cell, params, dh, dstate, tape, *given):
        right(cell, params, dh[::-1].copy() if reverse(tape) else dh, dstate, tape, *given)

    plant(unroll, "forward", bug)
    plant(unroll, "backward", backward)
    assert catching(network(name)) == FORWARD


def test_the_last_state_from_the_end_is_the_one_it_began_with(plant):
    plant(pooling, "last", lambda right, outputs, *given: outputs[-1].copy())
    assert catching(network("classify-last-both")) == GRADIENT | FORWARD


# --- what goes in ---


def test_the_gradient_of_a_label_is_forgotten(plant):
    plant(unroll, "_backward_side", lambda right, side, dproduct, W, dW, tape: dW.fill(0))
    model = network("generate")
    assert catching(model) == GRADIENT
    assert wrong_gradients(model) == {"layers.0.W"}


def test_a_label_is_told_at_the_first_step_alone(plant):
    def bug(right, x, tape):
        right(x, tape)
        tape.xW[1:] -= tape.side_product

    plant(unroll, "multiply_input", bug)
    assert catching(network("generate")) == GRADIENT | {"reference"}


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("classify-mean-both", {"embedding"}),
        ("tag-both", {"embedding"}),
        ("generate", {"embedding", "layers.0.W"}),  # rows of labels are added up in the same way
        ("transduce-dot-both", {"encoder.embedding", "decoder.embedding"}),
    ],
)
def test_the_gradient_of_a_symbol_is_that_of_the_last_time_it_is_read(plant, name, spoilt):
    def bug(right, rows, ids, out, scratch):
        out[...] = 0
        out[ids] = rows

    plant(unroll, "add_rows", bug)
    model = network(name, embedding_size=3)
    assert catching(model) == GRADIENT | {"padding"}
    assert wrong_gradients(model) == spoilt


# --- what a task makes of its texts ---


def misses_the_texts():
    """Whether the loss of a batch that the task makes is not that of its texts, each with its end, by the reference."""
    pairs = Pairs("", 0, "", ["ab", "c", "ab"], ["xyz", "y", "zx"])
    task = Transduce.of_training(pairs, DataConfig())
    items = task.encode(pairs)
    batch = task.assemble(items.sources, items.answers)
    model = EncoderDecoder(cell="gru", hidden_size=3, source_size=len(task.vocabulary) + 1, target_size=task.end + 1)
    params = random_params(model, np.random.default_rng(0))
    expected = []
    for source, target in zip(pairs.first, pairs.second, strict=True):
        ids = np.array(["xyz".index(character) for character in target])
        x, y = np.array([task.end, *ids]), np.array([*ids, task.end])
        expected.append(Item(x, y, np.ones(len(y)), 0, np.array(["abc".index(character) for character in source])))
    grads = Parameters.zeros(model.shapes, np.float64)
    loss, _ = model.loss_and_grads(params, batch, [], grads)
    return abs(loss - task_reference.loss(model, params, expected)) > VISIBLE


def test_the_task_makes_of_texts_what_they_are():
    assert not misses_the_texts()


def test_the_end_of_an_answer_is_not_learnt(plant):
    def bug(right, self, *given):
        batch = right(self, *given)
        return batch._replace(weights=(np.arange(len(batch.x))[:, None] < batch.lengths - 1).astype(float))

    plant(Transduce, "assemble", bug)
    assert misses_the_texts()


def test_the_decoder_is_told_the_answer_that_it_is_to_give(plant):
    plant(Transduce, "assemble", lambda right, self, *given: (b := right(self, *given))._replace(x=b.y))
    assert misses_the_texts()


def test_padded_answers_count(plant):
    plant(Transduce, "assemble", lambda right, self, *given: right(self, *given)._replace(weights=None))
    assert misses_the_texts()
