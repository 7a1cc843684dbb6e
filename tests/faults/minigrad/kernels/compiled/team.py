"""Seeded faults in `minigrad/kernels/compiled/team.py`."""

FAULTS = [
    ("team: an error in another thread is lost", "raise error", "continue"),
    ("team: an error is kept", "error, self.error = self.error, None", "error = self.error"),
    ("team: all others get the second's rows", "part, *spans[part])", "part, *spans[1])"),
    ("team: nobody waits", "[member.wait() for member in members]", "[]"),
    ("team: a task's arrays are kept", "self.task = None  # the", "pass  # the"),
    ("team: one is enough", "while len(_members) < count:", "if not _members:"),
    ("team: taken for ever", '            del _taken["by"]', "            pass"),
    ("team: a call at exit is shared", '_taken["by"] = _dismiss', "pass"),
    ("team: a fork waits for threads it has not", "_members.clear()", "pass"),
]
