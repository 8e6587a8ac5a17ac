"""What commands do without: a second construction of the network, and modules that are not theirs."""

from __future__ import annotations

import pytest
from driving import as_process

from charrnn.nn.model import CharLM

STEPS = ["--set", "train.iterations=15"]


@pytest.fixture
def built(monkeypatch):
    """The networks that were made, the newest last."""
    made, exact = [], CharLM.__post_init__

    def noted(model):
        made.append(model)
        exact(model)

    monkeypatch.setattr(CharLM, "__post_init__", noted)
    return made


@pytest.mark.parametrize(
    ("words", "networks"),
    [
        (["-o", "new"], 1),
        (["-o", "new", "--set", "train.gradient=rtrl", "--set", "model.hidden_size=2"], 1),
        (["-o", "new", "--init-from", "run"], 2),
        (["-o", "run", "--resume", *STEPS], 3),  # one for each checkpoint that may be the newest
    ],
    ids=["new", "rtrl", "init-from", "resumed"],
)
def test_a_network_is_built_once_when_training_starts(train, built, words, networks):
    train("-o", "run").ok()
    built.clear()
    train(*words).ok()
    assert len(built) == networks


RUN = """
import sys
from charrnn.cli.main import main
try:
    main()
finally:
    print(*sorted(name for name in sys.modules if name.startswith("charrnn.training")), file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["sample", "eval", "gradcheck", "gradflow", "info", "train"])
def test_what_does_not_train_opens_no_module_of_training(trained, text, tiny, tmp_path, command):
    words = {"eval": [trained, text], "train": [text, "-c", tiny, "-o", "run", "-q"]}.get(command, [trained])
    result = as_process(command, *words, cwd=tmp_path, program=("-c", RUN)).ok()
    assert ("charrnn.training.trainer" in result.err) == (command == "train")
    assert ("charrnn.training" in result.err) == (command == "train")
