"""Lone surrogates are no characters, though some encodings can write them."""

from __future__ import annotations

import pytest

from charrnn.errors import DataError
from charrnn.text.encoding import decode


def test_a_text_with_a_lone_surrogate_is_refused_with_its_place():
    with pytest.raises(DataError, match=r"surrogate U\+D800 in line 2"):
        decode([rb"one\ntwo \ud800 three"], "text", "unicode_escape")
