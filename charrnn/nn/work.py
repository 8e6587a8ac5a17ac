"""What an update of a network computes, in the words of the cost model."""

from __future__ import annotations

from charrnn.nn.costs import Work
from charrnn.nn.network import Network


def work_of(network: Network, rows: int, steps: int) -> Work:
    """Returns the work of batches of `rows` rows of `steps` steps."""
    first, inputs, layers = network.stacks[0], 0, 0
    for stack in network.stacks:
        entries = len(stack.prefixes)
        reading_ids = entries // stack.num_layers
        layers += entries
        inputs += reading_ids * (stack.embedding_size or 0) + (entries - reading_ids) * stack.output_size
    return Work(
        gates=len(first.cell.gates),
        hidden_size=network.hidden_size,
        layers=layers,
        states=len(first.cell.state),
        inputs=inputs,
        outputs=network.num_outputs,
        parameters=network.num_parameters,
        rows=rows,
        steps=steps,
    )
