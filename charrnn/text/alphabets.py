"""The letters beyond ASCII of Western European languages, by which their texts are told from others.

A text in another encoding, read as one of Western Europe, has letters that no such language has together, or signs such
as `\u00b3` within its words.
"""

from __future__ import annotations

import re
from collections import Counter

ALPHABETS = {
    "Catalan": "àèéíïòóúüç",
    "Danish, Norwegian": "æøåéèêóòô",
    "Dutch": "áéèêëíïóöúü",
    "Estonian": "äöõüšž",
    "Finnish, Swedish": "åäöéàüšž",
    "French": "àâæçèéêëîïôœùûüÿ",
    "German": "äöüßé",
    "Icelandic, Faroese": "áéíóúýðþæöø",
    "Irish, Scottish": "áéíóúàèìòù",
    "Italian": "àèéìíîòóùú",
    "Portuguese": "áâãàçéêíóôõúü",
    "Spanish": "áéíñóúü",
    "Welsh": "âêîôûáàäëïöé",
}
"""The small letters of each language that are in cp1252."""

NEARLY_ALL = 0.95
"""The share of the letters beyond ASCII that are of one language, in a text of it; others are of names and quotations.

Of Hungarian, the nearest to it, no alphabet has more than nine in ten.
"""

LITTLE = 0.01
"""The share of all letters that those beyond ASCII have in English texts at most, where they are of many languages."""


def is_western(sample: bytes) -> bool:
    """Tells whether a text whose bytes are no ASCII alone is of Western Europe, as far as its letters tell."""
    text = sample.decode("cp1252", "replace").lower()
    letters = Counter(character for character in text if character > "\x7f" and _is_letter(character))
    within = signs_within_words(text)
    count = letters.total() + within
    if not within and count <= LITTLE * sum(map(str.isalpha, text)):
        return True
    best = max(sum(letters[letter] for letter in alphabet) for alphabet in ALPHABETS.values())
    return best >= NEARLY_ALL * count


def signs_within_words(text: str) -> int:
    """Counts what stands in or before a word and does not usually: a sign, or what could not be decoded."""
    return len(_WITHIN.findall(text))


def _is_letter(character: str) -> bool:
    return character.isalpha() and character not in "ªº"


_BEFORE = r"\x80-\x9f\xa2\xa4-\xa6\xa8\xac\xaf\xb1-\xb6\xb8\xb9\xbc-\xbe\xd7\xf7\u2020-\u2022\u2030\u2122\ufffd"
"""What stands neither in words nor directly before them."""

_ONLY_BEFORE = r"\xa1\xa3\xa7\xa9\xaa\xae\xb0\xba\xbf\u20ac"
"""What may stand directly before a word, as in `¿qué`; quotes, dashes and the dot of Catalan stand within them too."""

_A_LETTER = r"[^\W\d_]"
_WITHIN = re.compile(f"[{_BEFORE}](?={_A_LETTER})|(?<={_A_LETTER})[{_ONLY_BEFORE}](?={_A_LETTER})")
