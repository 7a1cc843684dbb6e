"""What an inspector's page holds: its data, and arrays as they were before they were packed."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from typing import Any

import numpy as np


class Embedded(HTMLParser):
    """The data in a page, and all addresses in its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside, self.json, self.addresses = False, "", list[str]()
        self.feed(text)
        self.data = json.loads(self.json)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = ("id", "data") in attributes
        self.addresses += [str(v) for k, v in attributes if k in ("src", "href", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, text: str) -> None:
        if self.inside:
            self.json += text


def unpacked(of: dict[str, Any]) -> Any:
    raw = base64.b64decode(of["data"])
    kind = "<i2" if len(raw) > np.prod(of["shape"]) else "i1"
    integers = np.zeros(of["shape"], kind)
    held = np.tri(len(integers), dtype=bool) if of["lower"] else np.ones(of["shape"], bool)
    integers[held] = np.frombuffer(raw, kind)
    return integers / np.iinfo(kind).max * of["scale"]
