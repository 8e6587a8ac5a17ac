"""The oracle `rtrl`: derivatives by real-time recurrent learning, which carries them forward beside the state."""

from __future__ import annotations

from typing import Any

import numpy as np

from charrnn.judging.gradcheck.check import Oracle
from charrnn.judging.gradcheck.subject import Judge, Subject, all_at_once, named
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.rtrl import Sensitivity


def oracle(subject: Subject) -> Oracle:
    """Returns an oracle that has found all derivatives in one pass forward."""
    grads = Parameters.zeros(subject.model.shapes, np.float64)
    sensitivity = Sensitivity.zero(subject.model, subject.batch.num_rows)
    given = subject.params, subject.batch, subject.state, grads
    cotangent = subject.cotangent if subject.carries else None
    _, _, dstate = sensitivity.loss_and_grads(*given, subject.noise, cotangent)
    return all_at_once(subject, {**grads, **named(dstate)})


def declines(model: Any) -> str:
    """Declines models whose layers read from the end as well."""
    forward = isinstance(model, CharLM) and not model.bidirectional
    return "" if forward else "real-time recurrent learning is for models that read forward"


RTRL = Judge(oracle, declines=declines)
