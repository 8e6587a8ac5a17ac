"""What all pages share: their colours by day and by night, their frame, and characters that would not be seen."""

from __future__ import annotations

import html
import unicodedata

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #16181d; --soft: #5a6170; --line: #d9dce3; --tint: #f5f6f8;
        --accent: #1d5fae; --warm: #a8480c }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14161a; --ink: #e8eaee; --soft: #a2a9b6; --line: #383d47; --tint: #1d2026;
          --accent: #7db4f5; --warm: #f0a35c } }
body { font: 15px/1.5 ui-monospace, monospace; max-width: 60em; margin: 2em auto; padding: 0 1em;
       background: var(--paper); color: var(--ink) }
h1 { overflow-wrap: anywhere; line-height: 1.25 }
@media print { :root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --tint: #f5f6f8;
                       --accent: #1d5fae; --warm: #a8480c }
               body { margin: 0; max-width: none } }
"""
"""The frame of every page: its colours have names, so that each page follows the reader's choice of light or dark."""


def page(name: str, what: str, style: str, body: str) -> str:
    """Returns a page about `name`, which is escaped here; `body` is the HTML of what it shows of it."""
    heading = html.escape(name)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{heading}: {what}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}{style}\n</style>\n<h1>{heading}</h1>\n{body}</html>\n"
    )


def line(text: str) -> str:
    """Returns a text as a line of escaped HTML, in which no character moves others."""
    return "".join(character if character == " " else sign(character, alone=False) for character in text)


def lines(text: str) -> str:
    """Returns a text as escaped HTML that keeps its line ends and tabs; no other character moves others."""
    kept = text.replace("\r\n", "\n")
    return "".join(character if character in "\n\t " else sign(character, alone=False) for character in kept)


def sign(character: str, alone: bool = True) -> str:
    """Returns escaped HTML for a character: a sign or a number for what would not be seen, or would turn others around.

    A mark that belongs to the letter before it stands on a dotted circle where it is `alone`.
    """
    if character in _SIGNS:
        return _SIGNS[character]
    category = unicodedata.category(character)
    if category[0] in "CZ":  # controls, joiners, marks of direction, surrogates, unassigned; other spaces
        return f"U+{ord(character):04X}"
    return html.escape(f"\u25cc{character}" if category[0] == "M" and alone else character)


_SIGNS = {" ": "\u2423", "\t": "\u21e5", "\n": "\u21b5", "\r": "\u240d"}
