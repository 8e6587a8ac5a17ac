"""Training by real-time recurrent learning: a run like others, of a few units."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.nn.model import CharLM
from charrnn.runs import checkpoint as checkpoints
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.limits import refuse_hopeless

TINY = {"model__hidden_size": 3, "train__batch_size": 2, "train__seq_length": 3, "train__gradient": "rtrl"}


def test_the_first_update_is_that_of_backpropagation(begin):
    runs = [
        begin(gradient, **TINY | {"train__gradient": gradient, "train__iterations": 1}) for gradient in ("bptt", "rtrl")
    ]
    losses = [[record.train_nats for record in run.records()] for run in runs]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    np.testing.assert_allclose(runs[0].run.params.vector, runs[1].run.params.vector, rtol=0, atol=1e-5)


def test_a_run_learns(begin):
    losses = [
        record.train_nats for record in begin("run", **TINY, train__iterations=30, optim__learning_rate=0.2).records()
    ]
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])


def test_what_the_state_depends_on_is_kept_in_the_checkpoint(begin, tmp_path):
    run = begin("run", **TINY, train__iterations=3)
    list(run.records())
    kept = checkpoints.load(tmp_path / "run" / "last.npz").slots["sensitivity"]
    assert kept.any()
    np.testing.assert_array_equal(kept, run.run.slots["sensitivity"])


def test_a_network_too_large_for_it_is_refused_with_what_it_would_cost(settle):
    with pytest.raises(ConfigError, match=r"rtrl would take about [\d,]+ minutes for each iteration and [\d,]+ MiB"):
        refuse_hopeless(settle(train__gradient="rtrl", model__hidden_size=128), CharLM(65, hidden_size=128))


def test_a_model_that_would_see_its_target_is_refused(settle):
    with pytest.raises(ConfigError, match=r"model\.bidirectional: .* sees the character"):
        LanguageModel(Vocabulary("ab")).model(settle(model__bidirectional=True).model)
