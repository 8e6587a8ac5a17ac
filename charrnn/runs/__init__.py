"""What is kept of training: a `run` at one moment, its file (`checkpoint`), the `directory` around it."""
