"""When training has brought all that it will: `train.patience` evaluations in a row without an improvement.

An evaluation reads so many answers and no more, and so its score is partly chance. What is better by less than chance
makes is no improvement here, though `best.npz` keeps it as any that is better at all. Small steps add up: each score is
compared with the last that was an improvement, and not with the one before.
"""

from __future__ import annotations

import math

from charrnn import advice
from charrnn.config.schema import Config
from charrnn.errors import ConfigError
from charrnn.runs.run import Run
from charrnn.tasks.base import Scores, Split

SPREAD = 0.2
"""The standard deviation, over all answers, of how much the score of one changes from an evaluation to the next.

Measured on prose, with LSTMs and a GRU, 100 and 200 updates apart: 0.15 to 0.19 nats a character, where means of twenty
neighbours were taken for independent. An accuracy has this spread where 4 % of its answers change."""


ENOUGH = 4
"""How many times its patience a run should last, where it has so many updates."""


def chance(answers: int) -> float:
    """Returns the standard error of the difference between two evaluations of the same so many answers."""
    return SPREAD / math.sqrt(max(1, answers))


def note(run: Run, scores: Scores, answers: int) -> None:
    """Notes whether an evaluation of so many answers was an improvement; `is_over` tells what follows from it."""
    score = scores[run.task.measure]
    gain = 0.0 if run.to_beat is None else (score - run.to_beat) * (1 if run.task.higher_is_better else -1)
    if run.to_beat is None or gain > chance(answers):
        run.to_beat, run.without_improvement = score, 0
    else:
        run.without_improvement += 1


def is_over(run: Run) -> bool:
    """Tells whether a run has waited for an improvement as long as its configuration says."""
    patience = run.config.train.patience
    return patience is not None and run.without_improvement >= patience


def begin_anew(run: Run, forget: bool = False) -> None:
    """Lets a run wait as long again, where it is to do more than it was; `forget` what there was to beat, too."""
    run.without_improvement = 0
    if forget:
        run.to_beat = None


def remark(config: Config, updates: int | None) -> list[str]:
    """Returns a line for a run that is over before it has waited, with what helps; none where only the clock tells.

    `updates` is how many the run makes.
    """
    train = config.train
    if train.patience is None or updates is None or updates > (train.patience + 1) * train.eval_every:
        return []
    evaluations = math.ceil(updates / train.eval_every)
    told = (
        f"train.patience of {train.patience:,} cannot end a run early that has {evaluations:,} "
        f"evaluation{'s' * (evaluations > 1)}"
    )
    often = max(1, updates // (ENOUGH * train.patience))
    more_often = [advice.setting("train.eval_every", often)] * (often < train.eval_every)
    if updates > (train.patience + 1) * often:
        return [f"{told}; to evaluate more often: {more_often[0]}"]
    if updates > 2:  # one to beat, one that does not, and one that is spared
        fewer = advice.option("--patience", max(1, updates // ENOUGH))
        return [f"{told}; to wait for fewer: {' '.join([fewer, *more_often])}"]
    return [f"{told}; to do without: {advice.option('--patience', 'null')}"]


def refuse_without_validation(config: Config, split: Split) -> None:
    """Raises ConfigError where a run would wait for improvements that nobody looks for."""
    if config.train.patience is not None and split.validation is None:
        raise ConfigError(
            "train.patience waits for a better validation score, and data.split leaves no validation part; give it "
            f"one, or do without: {advice.option('--patience', 'null')}"
        )
