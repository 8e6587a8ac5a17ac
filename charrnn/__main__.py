"""What `charrnn` and `python -m charrnn` start."""

from __future__ import annotations

import signal


def main() -> None:
    """Runs the command line and exits."""
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if not ignored:  # until the program can say a word, which takes a tenth of a second, Ctrl-C ends it without any
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from charrnn.cli.main import main

    if not ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    main()
