"""What `charrnn` and `python -m charrnn` start."""

from __future__ import annotations

import signal


def main() -> None:
    """Runs the command line and exits."""
    # Before the program can say a word, which takes a tenth of a second, and after its last, Ctrl-C ends it in silence.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from charrnn import cores
    from charrnn.cli.main import main

    cores.settle()
    main()


if __name__ == "__main__":
    main()
