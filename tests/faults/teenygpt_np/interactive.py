"""Seeded faults in `teenygpt_np/interactive.py`."""

FAULTS = [
    (
        "interactive: Ctrl-C ends the program",
        "                if not self.at_terminal:\n                    raise\n",
        "                raise\n",
    ),
    (
        "interactive: a setting out of range stays",
        "        self.check(settings)\n        self.settings = settings\n",
        "        self.settings = settings\n        self.check(settings)\n",
    ),
    (
        "interactive: a command without its number changes nothing",
        "getattr(self.first, setting)",
        "getattr(self.settings, setting)",
    ),
]
