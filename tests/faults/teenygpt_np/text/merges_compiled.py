"""Seeded faults in `teenygpt_np/text/merges_compiled.py`."""

FAULTS = [
    (
        "distinct_words: compiled, words with a common beginning are one",
        "if starts[first + 1] - starts[first] == length:",
        "if starts[first + 1] - starts[first] >= length:",
    ),
    (
        "tokens_are_those: compiled, merges that no longer apply are made",
        "if _merge_of(current[left], current[right], keys, ids) != new:",
        "if _merge_of(current[left], current[right], keys, ids) == 0:",
    ),
    (
        "tokens_are_those: compiled, the left neighbour sees no new pair",
        "heapq.heappush(heap, made << 40 | ahead)",
        "pass",
    ),
]
