"""How the work of a run is laid out over cores: as its configuration says, as it was before, or as is fastest here.

A layout is chosen by the cost model, from what is known of this machine. Another layout adds numbers up in another
order, so a run that is resumed takes its own again where there are the cores for it: it goes on to the last bit.
"""

from __future__ import annotations

import os

from charrnn import advice, cores, known_machine
from charrnn.config.schema import Config
from charrnn.cores import Plan
from charrnn.errors import ConfigError
from charrnn.nn import costs
from charrnn.nn.network import Network
from charrnn.nn.work import work_of
from charrnn.runs.run import Run
from charrnn.tasks.base import Model
from charrnn.training.world import World


def choose(run: Run, rows: int, most: int) -> Plan:
    """Returns how `rows` rows of a batch are shared among at most so many cores.

    Raises ConfigError where the configuration asks for what cannot be.
    """
    return of(run.config, run.model, rows, most)


def of(config: Config, model: Model, rows: int, most: int) -> Plan:
    """Returns the same for a configuration and its network; `choose` says what it raises."""
    train = config.train
    if train.gradient == "rtrl":
        return Plan()
    if train.layout is not None:
        return asked_for(config, model, rows)
    alone = Plan(blas_threads=cores.blas_threads(rows * model.step_product, most))
    work = 6 * train.seq_length * rows * model.num_parameters
    if most == 1 or work < cores.LEAST_WORK or not can_have_several() or not isinstance(model, Network):
        return alone
    what = work_of(model, rows, train.seq_length)
    grid = costs.choose(known_machine.known(), what, most, model.splits_units)
    return Plan(grid.rows, grid.units) if grid.processes > 1 else alone


def refuse_impossible(config: Config, model: Model) -> None:
    """Raises ConfigError where `train.layout` asks for what cannot be."""
    if config.train.layout is not None and config.train.gradient != "rtrl":
        asked_for(config, model, config.train.batch_size)


def asked_for(config: Config, model: Model, rows: int) -> Plan:
    """Returns the plan of `train.layout`. Raises ConfigError where there is not enough to share, or nobody can."""
    layout, H = config.train.layout, config.model.hidden_size
    groups, units = map(int, str(layout).split("x"))
    wrong = ""
    if groups > rows:
        wrong = f"there are {rows:,} rows to share"
    elif units > H:
        wrong = f"there are {H:,} units to share"
    elif units > 1 and not (isinstance(model, Network) and model.splits_units):
        wrong = "the units of this network cannot be shared"
    if wrong:
        instead = advice.setting("train.layout", f"{min(groups * units, rows)}x1")
        raise ConfigError(f"train.layout is {layout}, and {wrong}; leave it out, or use {instead}")
    if groups * units > 1 and not can_have_several():
        raise ConfigError(f"train.layout is {layout}, and processes cannot share a batch on this system; leave it out")
    return Plan(groups, units)


def taken_again(run: Run, config: Config, world: World | None = None) -> Plan | None:
    """Returns the plan that a run had; None where another is to be chosen.

    That is so where nothing was computed yet, where `config`, with which it goes on, asks for another, where there are
    not as many cores, or another number of ranks.
    """
    before, now = run.config.train, config.train
    plan = Plan.said(run.environment.get("cores", ""))
    if not run.iteration or plan is None or plan.ranks != (world.size if world else 1):
        return None
    if (before.threads, before.layout) != (now.threads, now.layout):
        return None
    most = now.threads or (world.cores_each() if world else cores.available_cores())
    fits = max(plan.processes, plan.blas_threads) <= most or now.layout is not None
    return plan if fits and (plan.processes == 1 or can_have_several()) else None


def can_have_several() -> bool:
    """Tells whether several processes can share a batch here."""
    return os.name == "posix"
