"""Seeded faults in `teenygpt_np/text/merges.py`."""

FAULTS = [
    (
        "learned_merges: counts of the left neighbour are not put right",
        "counts[_key(ids[i - 1], first)] -= times",
        "pass",
    ),
    (
        "learned_merges: a word counts once, however often it comes",
        "counts[_key(new, ids[i + 2])] += times",
        "counts[_key(new, ids[i + 2])] += 1",
    ),
    (
        "learned_merges: a count that has fallen is believed",
        "if -n != counts[pair]:",
        "if -n < counts[pair]:",
    ),
    (
        "ties_by_the_order: ties by the value of bytes",
        "list(word.translate(places))",
        "list(word)",
    ),
    (
        "once_is_not_merged: what comes once is a token",
        "LEAST_COUNT = 2",
        "LEAST_COUNT = 1",
    ),
    (
        "long_word: pairs that overlap both merge",
        "hits &= (index - run) % 2 == 0",
        "pass",
    ),
    (
        "tokens_are_those: pairs across words",
        " & (words[:-1] == words[1:])",
        "",
    ),
    (
        "distinct_words: the last place where a word is, not the first",
        "firsts[which[::-1]] = np.arange(len(which))[::-1]",
        "firsts[which] = np.arange(len(which))",
    ),
]
