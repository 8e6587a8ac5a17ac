"""The page about many machines, and the script that measures what it says."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from bench import scaling
from launched import needs_ranks, ranks
from pages import DOCS, ROOT, blocks

TOOLS = ROOT / "tools"
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


SMALL = """
import sys
sys.path.insert(0, sys.argv[1])
from bench import scaling
scaling.SHAPES, scaling.SIZES, scaling.FEW_ROWS = ((3, 4, 5), (4, 4, 5)), (16, 64), (1, 2)
scaling.as_rank(2)
"""


@needs_ranks
def test_what_ranks_measure_becomes_the_tables_of_the_page(tmp_path):
    (tmp_path / "small.py").write_text(SMALL)
    found = {}
    for count in (1, 2):
        done = ranks(count, "small.py", TOOLS, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        found[count] = json.loads(done.stdout)
    assert [one[:3] for one in found[2]["updates"]] == [[3, 4, 5], [3, 8, 5], [4, 4, 5], [4, 8, 5]]
    said = list(scaling.lines(found, cores=2))
    heads = [line.splitlines()[0] for line in "\n".join(said).split("\n\n") if line.startswith("| ")]
    assert len(heads) == 3
    for head in heads:
        assert head in PAGE


def test_several_batches_for_an_update_save_what_the_network_costs():
    one = scaling.Measured(units=4, rows=4, steps=5, parameters=10**6, whole=0, step=0, order=0)
    network = scaling.Network(latency=0, bandwidth=4e9)  # two ranks need 1 ms
    assert scaling.share(1, network, one, 1e-3) == 1
    assert scaling.share(2, network, one, 1e-3) == pytest.approx(1 / 2)
    assert scaling.share(2, network, one, 1e-3, accumulate=3) == pytest.approx(3 / 4)


def test_rows_between_and_beyond_those_measured_are_priced():
    assert scaling.seconds_alone({4: 1.0, 8: 1.5, 64: 8.0}, 6) == pytest.approx(1.25)
    assert scaling.seconds_alone({4: 1.0, 8: 1.5, 64: 8.0}, 128) == pytest.approx(16.0)
