"""What `charrnn --version` says: what computes here, as a report of a bug should have it."""

from __future__ import annotations

import platform

import click

from charrnn.version import __version__

BLAS = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS", "accelerate": "Accelerate"}
"""How libraries for products of matrices are written that are known by other names within the program."""


def lines() -> list[str]:
    """Returns the versions of charrnn, Python and NumPy, and of the library behind NumPy's products."""
    import numpy as np
    from threadpoolctl import threadpool_info

    system = f"{platform.system()} on {platform.machine()}"
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    named = [
        f"{BLAS.get(b['internal_api'], b['internal_api'])} {b['version'] or 'of unknown version'}, "
        f"{b.get('architecture') or 'unknown architecture'}, {_threads(b['num_threads'])}"
        for b in found
    ]
    return [
        f"charrnn, version {__version__}",
        f"Python {platform.python_version()}, NumPy {np.__version__}, {'; '.join(named) or 'unknown BLAS'}; {system}",
    ]


def show(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    """Prints the versions and ends, where they are asked for."""
    if asked and not ctx.resilient_parsing:
        for line in lines():
            click.echo(line)
        ctx.exit()


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number != 1)}"
