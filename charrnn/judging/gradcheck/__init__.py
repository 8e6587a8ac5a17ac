"""How gradients are proven: `check` compares, `oracles` know the truth, `subject` builds what is judged."""
