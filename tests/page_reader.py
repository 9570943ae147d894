"""Reads a page as a browser would: what it loads, where it links to, and the numbers of its tables."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class PageReader(HTMLParser):
    """loaded: addresses that are fetched by opening the page; links: those of <a>; ids: anchors; numbers: of a
    table's id, pairs of the printed text and the value behind it."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.loaded, self.links, self.ids = path, [], [], []
        self.numbers: dict[str, list[tuple[str, str]]] = {}
        self.text: dict[str, str] = {}
        self._table = self._value = None
        text = path.read_text(encoding="utf-8")
        self.loaded += re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", text)
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if given.get(LOADED.get(tag)):
            self.loaded.append(given[LOADED[tag]])
        if tag == "a":
            self.links.append(given["href"])
        if tag == "table":
            self._table = given["id"]
            self.numbers[self._table], self.text[self._table] = [], ""
        if tag == "data":
            self._value = given["value"]

    def handle_endtag(self, tag):
        if tag == "table":
            self._table = None

    def handle_data(self, data):
        if self._table:
            self.text[self._table] += data
            if self._value is not None:
                self.numbers[self._table].append((data, self._value))
        self._value = None

    def list_broken_links(self) -> list[str]:
        """Links to anchors that the page lacks and to files that are not there; those to other hosts are left out."""
        broken = []
        for link in self.links:
            target, _, anchor = link.partition("#")
            if target.startswith(("http://", "https://")):
                continue
            missing = not (self.path.parent / unquote(target)).exists()
            if (target and missing) or (not target and anchor not in self.ids):
                broken.append(link)
        return broken
