"""A page, read as a browser would, but stricter: each tag is closed, and nothing outside of the page is needed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = ("meta", "br", "path")


class Page(HTMLParser):
    """The headings, tables, curves and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.labels: list[str] = []
        self.curves = 0
        self.samples: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == [], f"{self.open} was not closed"
        assert page.startswith("<!doctype html>\n<html lang=")
        assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|\bsrc=|xlink|\bon\w+=", page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert len(given) == len(attributes), f"an attribute twice in {tag}"
        assert tag != "a" or given["href"].startswith("#")
        if tag not in VOID:
            self.open.append(tag)
        if tag == "svg" and given.get("aria-hidden") != "true":
            assert given["role"] == "img"
            self.labels.append(given["aria-label"])
        if tag == "path" and given["class"].startswith("curve"):
            assert re.fullmatch(r"M-?[\d.]+ -?[\d.]+(L-?[\d.]+ -?[\d.]+)+|M1 5H33", given["d"])
            self.curves += given["d"] != "M1 5H33"
        if tag == "th":
            assert given["scope"] in ("row", "col")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2"):
            self.headings.append("")
        elif tag == "pre":
            self.samples.append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        elif "h1" in self.open or "h2" in self.open:
            self.headings[-1] += data
        elif "pre" in self.open:
            self.samples[-1] += data

    def table(self, *head: str) -> list[list[str]]:
        """The rows of the table whose head begins so."""
        (found,) = [table[1:] for table in self.tables if table[0][: len(head)] == list(head)]
        return found
