"""What a model is worth: how well it predicts, how far back it learns, and whether its gradients are right."""
