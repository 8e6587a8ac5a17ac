"""What `charrnn info --machine` says: what there is to compute with, how fast it is, and how it would be used."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from charrnn import cores, processor, system

if TYPE_CHECKING:
    from charrnn.machine import Machine

WIDTHS, ROWS = (128, 256, 512, 1024), (1, 8, 16, 64, 128)
"""H and B of the networks whose layouts are shown: one layer of an LSTM."""

SYMBOLS, STEPS = 65, 64
"""V and T of these networks."""

OTHERS = (4, 8, 16)
"""Numbers of cores as this one for which layouts are shown beside those that are here."""


def facts(again: bool) -> dict[str, Any]:
    """Returns all that is known, as JSON can hold it. The machine is measured where it was not, or `again`."""
    from charrnn import known_machine
    from charrnn.environment import environment

    found = cores.find()
    machine = known_machine.known(again=again)
    limits = {
        "processes": system.most_processes(),
        "open_files": system.limit("RLIMIT_NOFILE"),
        "memory_bytes": system.limit("RLIMIT_AS"),
        "file_bytes": system.limit("RLIMIT_FSIZE"),
    }
    return {
        "processor": processor.name(),
        "cores": found.cores,
        "cores_set_by": found.why,
        "affinity": found.affinity,
        "physical_cores": found.physical,
        "quota": found.quota if math.isfinite(found.quota) else None,
        **environment(),
        "python": platform.python_version(),
        "variables": cores.variables_given(),
        "limits": {name: int(most) if math.isfinite(most) else None for name, most in limits.items()},
        "cost_model": {
            "least_operations_for_processes": int(cores.LEAST_WORK),
            "least_product_for_threads": cores.LEAST_PRODUCT,
            "seconds": machine.to_dict(),
        },
        "layouts": [row for H in WIDTHS for B in ROWS for row in layouts(machine, H, B, found.cores)],
    }


def layouts(machine: Machine, H: int, B: int, here: int) -> Iterator[dict[str, Any]]:
    """Yields, for each number of cores, the layout of a network and how much faster it is than one process."""
    from charrnn.nn import costs
    from charrnn.nn.model import CharLM
    from charrnn.nn.work import work_of
    from charrnn.training.layouts import can_have_several

    model = CharLM(SYMBOLS, hidden_size=H)
    work = work_of(model, B, STEPS)
    alone = costs.seconds(machine, work, costs.ALONE)
    for number in sorted({here, *OTHERS}):
        several = number if can_have_several() else 1
        grid = costs.choose(machine, work, several, model.splits_units)
        speed_up = alone / costs.seconds(machine, work, grid)
        yield {
            "hidden_size": H,
            "batch_size": B,
            "cores": number,
            "layout": str(grid),
            "seconds": alone / speed_up,
            "speed_up": round(speed_up, 2),
        }


def in_words(found: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts that are said in a line each, by their names."""
    told = {name: value for name, value in found.items() if name not in ("cost_model", "layouts")}
    told["quota"] = "none" if found["quota"] is None else f"{found['quota']:g} cores"
    for name in ("variables", "limits"):
        each = (
            f"{part if name == 'variables' else part.replace('_', ' ')} {'none' if value is None else f'{value:,}'}"
            for part, value in found[name].items()
        )
        told[name] = ", ".join(each) or "none"
    return told


def measured(seconds: dict[str, Any]) -> list[str]:
    """Returns what was measured, in words and units."""

    def sizes(curve: list[tuple[float, float]]) -> str:
        return ", ".join(f"{each * 1e9:.3f} ({size / 2**20:,.3g} MiB)" for size, each in curve)

    lines = {
        "a large matrix product": f"{2e-9 / seconds['multiply_add']:,.0f} GFLOP/s",
        "reordering weights for a product": f"{sizes(seconds['packing'])} ns an element",
        "the same in tiles": f"{sizes(seconds['tiled'])} ns an element",
        "a vector times a matrix": f"{sizes(seconds['vector'])} ns an element",
        "a pass over two arrays": f"{sizes(seconds['elementwise'])} ns an element",
        "an exponential": f"{seconds['exponential'] * 1e9:.2f} ns",
        "a NumPy call": f"{seconds['call'] * 1e6:.2f} microseconds; of a product {seconds['product_call'] * 1e6:.2f}",
        "a meeting of processes": f"{seconds['meeting'] * 1e6:.1f} microseconds, which is assumed",
    }
    width = max(map(len, lines))
    return ["measured on one core, in float32:", *(f"  {name:<{width}}  {value}" for name, value in lines.items())]


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Returns the layouts as lines: for each network, those of each number of cores."""
    numbers = sorted({row["cores"] for row in rows})
    cells = {(row["hidden_size"], row["batch_size"], row["cores"]): row for row in rows}
    lines = [
        f"layouts that are chosen (rows x units), and how much faster than one process; an LSTM of one layer, "
        f"V {SYMBOLS}, T {STEPS}:",
        f"  {'H':>6}{'B':>6}" + "".join(f"{number:>9} cores" for number in numbers),
    ]
    for H in WIDTHS:
        for B in ROWS:
            each = (cells[H, B, number] for number in numbers)
            told = "".join(f"{row['layout']:>9}{row['speed_up']:>6.1f}" for row in each)
            lines.append(f"  {H:>6,}{B:>6,}{told}")
    return lines
