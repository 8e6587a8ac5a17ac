"""The numbers that the tools take."""

from __future__ import annotations

import argparse

import pytest
from results.arguments import count


def test_a_count_is_a_whole_number_of_at_least_one():
    assert count("12") == 12
    for word in ("0", "-1", "1.5", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"{word} is no whole number"):
            count(word)
