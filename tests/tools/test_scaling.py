"""The page about many machines, and the script that measures what it says."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from bench import scaling
from pages import DOCS, blocks

PAGE = (DOCS / "scaling.md").read_text("utf-8")


def test_the_script_for_a_cluster_is_one_that_bash_reads():
    (script,) = blocks(PAGE, "bash")
    assert script.startswith("#!/bin/bash\n#SBATCH ")
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_all_reduce_costs_its_messages_and_its_bytes():
    network = scaling.Network(latency=1e-5, bandwidth=1e9)
    assert network.seconds(1, 10**6) == 0
    assert network.seconds(2, 10**6) == pytest.approx(2e-5 + 1e-3)
    assert network.seconds(4, 10**6) == pytest.approx(6e-5 + 1.5e-3)


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_network_is_found_again_from_what_its_sums_take(ranks):
    network = scaling.Network(latency=3e-5, bandwidth=2e9)
    sums = [[size, network.seconds(ranks, 4 * size)] for size in scaling.SIZES]
    np.testing.assert_allclose(scaling.fitted(ranks, sums), network, rtol=1e-9)


def test_rows_between_and_beyond_those_measured_are_priced():
    assert scaling.seconds_alone({4: 1.0, 8: 1.5, 64: 8.0}, 6) == pytest.approx(1.25)
    assert scaling.seconds_alone({4: 1.0, 8: 1.5, 64: 8.0}, 128) == pytest.approx(16.0)
