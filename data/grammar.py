"""The grammar that the bundled headlines are drawn from, and the exact probability of any line.

    python data/grammar.py                    size, entropy, and whether the files are its own
    python data/grammar.py --sample 10        ten new headlines
    python data/grammar.py --log-prob < FILE  ln p of each line, -inf if the grammar can't make it
    python data/grammar.py --write            write train.txt, val.txt, test.txt and entropy.json

The grammar has no recursion and, as `Grammar.ambiguity` shows, makes each line by one derivation
only. The probability of a line is then the product of the choices in that derivation, and the mean
of -ln p over lines drawn from the grammar is its entropy: no model of the lines can score lower.
"""

from __future__ import annotations

import argparse
import bisect
import hashlib
import io
import itertools
import json
import math
import random
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from teenygpt_np.cli import Parser, run_command
from teenygpt_np.errors import InputError

HERE = Path(__file__).resolve().parent
SEED = 2026
SIZES = {"train": 8664, "val": 1084, "test": 1084}
START = "HEADLINE"
MOST = 1_000_000  # lines that --sample may ask for

_WORD = "(?:[a-z]+|[A-Z]+)"
_ALTERNATIVE = re.compile(rf"\s*(?:(\d+):)?\s*({_WORD}(?: {_WORD})*)")

Words = tuple[str, ...]  # rule names in capitals, and words that stand for themselves


class Grammar:
    """Rules: a name, and its alternatives with their probabilities.

    Raises ValueError for a text that is no such grammar: a name without a rule, a rule that leads
    back to itself, a bad line.
    """

    def __init__(self, text: str) -> None:
        self.rules = _parse(text)
        if START not in self.rules:
            raise ValueError(f"no rule {START}, with which every headline begins")
        for name in self.rules:
            self._visit(name, ())

    def _visit(self, name: str, path: Words) -> None:
        if name in path:
            raise ValueError(f"rule {name} leads back to itself by {' '.join(path)}")
        if name not in self.rules:
            raise ValueError(f"no rule {name}, which {path[-1]} uses")
        for _, words in self.rules[name]:
            for word in filter(str.isupper, words):
                self._visit(word, (*path, name))

    def sample(self, rng: random.Random) -> str:
        """One headline."""
        words, left = [], [START]
        while left:
            word = left.pop()
            if word.isupper():
                left += reversed(self._choose(word, rng.random()))
            else:
                words.append(word)
        return " ".join(words)

    def _choose(self, name: str, point: float) -> Words:
        alternatives = self.rules[name]
        ends = self._ends[name]
        return alternatives[min(bisect.bisect(ends, point), len(ends) - 1)][1]

    def log_prob(self, line: str) -> float:
        """ln p(line), -inf if the grammar cannot make the line."""
        p = self._prob((START,), tuple(line.split(" ")))
        return math.log(p) if p else -math.inf

    def _prob(self, stack: Words, rest: Words) -> float:
        """The probability that `stack` becomes exactly the words `rest`, over all derivations."""
        if not stack or not rest:
            return float(stack == rest)
        return sum(
            p * self._prob(after, rest[1:]) for p, after in self._steps(stack).get(rest[0], [])
        )

    def _steps(self, stack: Words) -> dict[str, list[tuple[float, Words]]]:
        """For each word that can come first: the probability of each way to it, and the rest."""
        if stack not in self._known_steps:
            steps: dict[str, list[tuple[float, Words]]] = {}
            first, rest = stack[0], stack[1:]
            if not first.isupper():
                steps[first] = [(1.0, rest)]
            else:
                for p, words in self.rules[first]:
                    for word, ways in self._steps(words + rest).items():
                        steps.setdefault(word, []).extend((p * q, after) for q, after in ways)
            self._known_steps[stack] = steps
        return self._known_steps[stack]

    def ambiguity(self) -> str | None:
        """A line that two derivations make, or None if there is no such line.

        Pairs of derivations are followed side by side, word by word. A line is ambiguous if a pair
        that has differed ends at the same word. Only their stacks and whether they have differed
        decide how a pair goes on, so there are few pairs.
        """
        todo: list[tuple[Words, Words, bool, str]] = [((START,), (START,), False, "")]
        seen = set()
        while todo:
            one, other, differ, read = todo.pop()
            if (one, other, differ) in seen or not one or not other:
                if differ and one == other == ():
                    return read
                continue
            seen.add((one, other, differ))
            ours, theirs = self._steps(one), self._steps(other)
            for word in ours.keys() & theirs.keys():
                for (i, (_, a)), (j, (_, b)) in itertools.product(
                    enumerate(ours[word]), enumerate(theirs[word])
                ):
                    todo.append((a, b, differ or i != j, f"{read} {word}".strip()))
        return None

    def entropy(self, name: str = START) -> float:
        """H = sum of p (-ln p + H of the names inside): mean -ln p of its derivations, in nats."""
        return sum(
            p * (sum(map(self.entropy, filter(str.isupper, words))) - math.log(p))
            for p, words in self.rules[name]
        )

    def longest(self, name: str = START) -> int:
        """Length of the longest line that a rule can make, in characters."""
        return max(
            sum(self.longest(word) if word.isupper() else len(word) for word in words)
            + len(words)
            - 1
            for _, words in self.rules[name]
        )

    @property
    def vocabulary(self) -> set[str]:
        """Every word that can stand in a headline."""
        return {w for rule in self.rules.values() for _, ws in rule for w in ws if not w.isupper()}

    @property
    def shapes(self) -> list[Words]:
        """The alternatives of all topics: the shapes of stories."""
        return [words for _, topic in self.rules["STORY"] for _, words in self.rules[topic[0]]]

    @cached_property
    def _ends(self) -> dict[str, list[float]]:
        return {n: list(itertools.accumulate(p for p, _ in r)) for n, r in self.rules.items()}

    @cached_property
    def _known_steps(self) -> dict[Words, dict[str, list[tuple[float, Words]]]]:
        return {}


def _parse(text: str) -> dict[str, list[tuple[float, Words]]]:
    weights: dict[str, dict[Words, int]] = {}
    name = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if header := re.fullmatch(r"\[([A-Z]+)\]", line):
            name = header[1]
            if name in weights:
                raise ValueError(f"line {number}: a second rule {name}")
            weights[name] = {}
        elif line:
            for part in line.split(","):
                found = _ALTERNATIVE.fullmatch(part)
                if not found or name is None or (found[1] and not int(found[1])):
                    raise ValueError(f"line {number}: {part!r} is no alternative")
                words = tuple(found[2].split())
                if words in weights[name]:
                    raise ValueError(f"line {number}: {part!r} is in {name} already")
                weights[name][words] = int(found[1] or 1)
    if empty := [name for name, rule in weights.items() if not rule]:
        raise ValueError(f"rule {empty[0]} has no alternatives")
    return {
        name: [(weight / sum(rule.values()), words) for words, weight in rule.items()]
        for name, rule in weights.items()
    }


def load() -> Grammar:
    """The grammar of the bundled headlines."""
    return Grammar((HERE / "grammar.txt").read_text(encoding="ascii"))


def draw(grammar: Grammar, seed: int = SEED) -> dict[str, list[str]]:
    """The splits: distinct lines, drawn one after the other; a line drawn again is skipped."""
    rng = random.Random(seed)
    lines: dict[str, None] = {}
    while len(lines) < sum(SIZES.values()):
        lines[grammar.sample(rng)] = None
    rest = iter(lines)
    return {name: list(itertools.islice(rest, size)) for name, size in SIZES.items()}


def files(grammar: Grammar) -> Iterator[tuple[str, str]]:
    """The name of each file that --write makes, and its content."""
    splits = {}
    for name, lines in draw(grammar).items():
        text = "".join(line + "\n" for line in lines)
        splits[name] = {
            "lines": len(lines),
            "nats_per_headline": -math.fsum(map(grammar.log_prob, lines)) / len(lines),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        yield f"{name}.txt", text
    entropy = {"entropy_nats": grammar.entropy(), "seed": SEED, "splits": splits}
    yield "entropy.json", json.dumps(entropy, indent=2) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if a line is ambiguous or a file is not what --write makes, else 0."""
    parser = Parser(
        prog="grammar.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command = parser.add_mutually_exclusive_group()
    command.add_argument("--sample", type=int, metavar="N")
    command.add_argument("--log-prob", action="store_true")
    command.add_argument("--write", action="store_true")
    parser.add_argument("--seed", type=int, help="of --sample (default: a new one each time)")
    args = parser.parse_args(arguments)
    if args.sample is not None and not 1 <= args.sample <= MOST:
        raise InputError(f"--sample is {args.sample}, wanted 1..{MOST:,}")
    grammar = load()
    if args.sample is not None:
        rng = random.Random(args.seed)
        for _ in range(args.sample):
            print(grammar.sample(rng))
    elif args.log_prob:
        if isinstance(sys.stdin, io.TextIOWrapper):  # other bytes are in no headline: -inf
            sys.stdin.reconfigure(encoding="utf-8", errors="backslashreplace")
        for line in sys.stdin or ():
            print(f"{grammar.log_prob(line.rstrip()):.4f}\t{line.rstrip()}")
    elif args.write:
        for name, text in files(grammar):
            (HERE / name).write_text(text, encoding="ascii", newline="\n")
    else:
        return _report(grammar)
    return 0


def _report(grammar: Grammar) -> int:
    twice = grammar.ambiguity()
    print(f"shapes of story        {len(grammar.shapes)}")
    print(f"words                  {len(grammar.vocabulary):,}")
    print(f"longest line           {grammar.longest()} characters")
    print(f"entropy                {grammar.entropy():.4f} nats per headline")
    print(f"in two ways            {twice or 'no line'}")
    foreign = []
    for name, text in files(grammar):
        path = HERE / name
        if not path.is_file() or path.read_text(encoding="ascii") != text:
            foreign.append(name)
    print(f"files not its own      {', '.join(foreign) or 'none'}")
    return int(bool(foreign or twice))


if __name__ == "__main__":
    run_command("grammar.py", main)
