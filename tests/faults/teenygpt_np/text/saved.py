"""Seeded faults in `teenygpt_np/text/saved.py`."""

FAULTS = [
    (
        "saved: a table is the text that it would be without its suffix",
        "kind_and_place(path, source)}",
        "path.name if source.is_dir() else ''}",
    ),
    (
        "saved: what comes behind a file's first block makes no difference",
        "range(0, size, _BLOCK)",
        "range(0, min(size, _BLOCK), _BLOCK)",
    ),
    (
        "saved: damaged ids are used",
        'if _crc(path, size) != described["crc"]:',
        "if False:",
    ),
    ("saved: the ids of another text are used", 'if described["key"] != key:', "if False:"),
    (
        "saved: settings make no difference",
        "json.dumps([VERSION, sys.byteorder, settings])",
        "json.dumps([VERSION, sys.byteorder])",
    ),
    (
        "saved: the second split has the ids of the first",
        "begun, self._begun = self._begun, self._file.tell()",
        "begun, self._begun = 0, self._file.tell()",
    ),
    ("saved: ids of a text that has gone stay", "if is_half or _is_stale(path):", "if is_half:"),
    (
        "saved: ids of a text that is there are removed",
        "if is_half or _is_stale(path):",
        "if True:",
    ),
    (
        "saved: ids of another tokenizer are used",
        "if given in (None, content.tokenizer):",
        "if True:",
    ),
]
