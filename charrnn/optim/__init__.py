"""How gradients become updates: optimizers and clipping, and the schedule of the learning rate."""
