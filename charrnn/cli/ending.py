"""What is said at the end of a run: how good it is, where it was best, and what helps if that is long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrnn.cli import common

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.training.progress import Progress

LONG_AGO = 0.5
"""The share of a run before which its best is long ago."""

OFTEN = 3
"""Evaluations in a row that found nothing better, and that are no accident."""

WORSE = 0.01
"""How much worse than the best is worse: a share of a loss, or a difference of another score."""

DROPOUT = 0.3
"""The least dropout that is advised."""


def words(progress: Progress, answers: int) -> list[str]:
    """Returns the last lines of a run but one, which says what can be done with it; none where nothing was judged.

    `answers` is how many an evaluation judges.
    """
    from charrnn.training import patience

    run = progress.run
    if run.best is None:
        return []
    at = f", at iteration {run.best_at:,} of {run.iteration:,}" if run.best_at else ""
    lines = [f"best validation {_best(run)}{at}"]
    if patience.is_over(run):
        waited = run.without_improvement
        lines.append(
            f"ended by train.patience: the last {'evaluation' if waited == 1 else f'{waited:,} evaluations'} found "
            f"nothing better than {run.to_beat:.4f} by more than chance, which is {patience.chance(answers):.1g} here"
        )
    long_ago = 0 < run.best_at < LONG_AGO * run.iteration or patience.is_over(run)
    if long_ago and run.without_best >= OFTEN and _is_worse(run):
        lines.append(
            f"since then it has only learnt its training part by heart; what helps: more text, "
            f"{' or '.join(_what_helps(progress))}"
        )
    return lines


def _is_worse(run: Run) -> bool:
    """Tells whether the end of a run is worse than its best by more than chance, and not as good, which is no harm."""
    if run.scores is None or run.best is None:
        return False
    last = run.scores[run.task.measure]
    return run.best - last > WORSE if run.task.higher_is_better else last > run.best * (1 + WORSE)


def _best(run: Run) -> str:
    """Says in words what the best score of a run is."""
    if run.task.measure == "nats" and run.best is not None:
        return f"loss: {common.describe_loss(run.best)}"
    return f"{run.task.measure}: {run.best:.4f}"


def _what_helps(progress: Progress) -> list[str]:
    """Returns flags with which the next run on the same text would be less overfitted, and which end it earlier."""
    from charrnn.training import patience
    from charrnn.training.more import as_much_again, duration

    run, helpful = progress.run, []
    model, share = run.config.model, run.best_at / run.iteration
    if model.dropout < 0.5:
        helpful.append(f"--dropout {DROPOUT if model.dropout < DROPOUT else 0.5:g}")
    if model.hidden_size > 32:
        helpful.append(f"--hidden-size {model.hidden_size // 2}")
    if patience.is_over(run):
        return helpful or ["a smaller network"]
    ended_by = as_much_again(progress)
    enough = {
        "iterations": f"--iterations {run.best_at}",
        "epochs": f"--epochs {max(1, round(share * ended_by.amount))}",
        "time_budget": f"--time-budget {duration(share * ended_by.amount)}",
    }
    return [*helpful, enough[ended_by.end]]
