"""New runs from old weights: characters are mapped by themselves, not by their index."""

from __future__ import annotations

from charrnn.errors import CheckpointError
from charrnn.runs.run import Run
from charrnn.text.vocabulary import BYTES


def graft(run: Run, old: Run) -> str:
    """Copies the weights of `old` into the new `run`, and returns the characters that `old` did not know.

    Their rows of the first layer's input weights, and their columns of the head, stay as initialized. Raises
    CheckpointError where the architectures differ, naming both.
    """
    new_model, old_model = run.config.model, old.config.model
    for name in ("cell", "hidden_size", "num_layers", "activation", "initial_state"):
        ours, theirs = getattr(new_model, name), getattr(old_model, name)
        if ours != theirs:
            raise CheckpointError(
                f"the weights to begin from have model.{name} {theirs!r}, and the configuration has {ours!r}; "
                f"give --set model.{name}={theirs}"
            )
    # A byte of 128 or more is part of a character, or another one than that of the same number.
    same_kind = (run.vocabulary.encoding == BYTES) == (old.vocabulary.encoding == BYTES)
    shared = [c for c in run.vocabulary.symbols if c in old.vocabulary.symbols and (same_kind or c.isascii())]
    if not shared:
        raise CheckpointError("the weights to begin from know no character of this text; leave out --init-from")
    mine = run.vocabulary.encode("".join(shared))
    theirs_ids = old.vocabulary.encode("".join(shared))
    H = new_model.hidden_size
    for name, array in run.params.items():
        source = old.params[name]
        if name == "layers.0.W":
            array[:H] = source[:H]
            array[H + mine.astype(int)] = source[H + theirs_ids.astype(int)]
        elif name.startswith("head."):
            array[..., mine] = source[..., theirs_ids]
        else:
            array[...] = source
    return "".join(c for c in run.vocabulary.symbols if c not in shared)
