"""How a run learns, whatever is learnt: the `trainer` acts on a run, and the `loop` within it makes the updates."""
