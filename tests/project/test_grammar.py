"""The grammar of the bundled headlines, and grammars enumerated completely."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import random
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from teenygpt_np.errors import InputError

DATA = ROOT / "data"
SPLITS = {"train": 8664, "val": 1084, "test": 1084}


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("grammar", DATA / "grammar.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()
Grammar = script.Grammar
Rules = dict[str, list[tuple[int, tuple[str, ...]]]]  # alternatives with their weights


# -- by enumeration --------------------------------------------------------------------------------


def derivations(rules: Rules, words: tuple[str, ...]) -> Iterator[tuple[float, tuple[str, ...]]]:
    """Every way to turn the words into a line, with its probability."""
    if not words:
        yield 1.0, ()
        return
    first, rest = words[0], words[1:]
    total = sum(weight for weight, _ in rules.get(first, []))
    for weight, alternative in rules.get(first, [(0, ())]):
        firsts = derivations(rules, alternative) if total else [(1.0, (first,))]
        share = weight / total if total else 1.0
        for p, begin in firsts:
            for q, end in derivations(rules, rest):
                yield share * p * q, begin + end


def lines_of(rules: Rules) -> dict[str, list[float]]:
    """The probabilities of all derivations of each line."""
    lines = defaultdict(list)
    for p, words in derivations(rules, ("HEADLINE",)):
        lines[" ".join(words)].append(p)
    return lines


def text_of(rules: Rules) -> str:
    return "".join(
        f"[{name}]\n" + "".join(f"{weight}: {' '.join(words)}\n" for weight, words in alternatives)
        for name, alternatives in rules.items()
    )


def rule(symbols: list[str]) -> st.SearchStrategy[Any]:
    words = st.lists(st.sampled_from(symbols), min_size=1, max_size=2).map(tuple)
    alternative = st.tuples(st.integers(1, 3), words)
    return st.lists(alternative, min_size=1, max_size=3, unique_by=lambda each: each[1])


def grammars(*letters: str) -> st.SearchStrategy[Rules]:
    """Three rules, each of which may use those after it; words are letters, so many lines meet."""
    return st.fixed_dictionaries(
        {"HEADLINE": rule(["A", "B", "a"]), "A": rule([*letters, "B"]), "B": rule([*letters])}
    )


# Of two letters most grammars are ambiguous, of five most are not.
TINY = grammars("a", "b") | grammars("a", "b", "c", "d", "e")


@given(TINY)
def test_probabilities(rules: Rules) -> None:
    grammar, lines = Grammar(text_of(rules)), lines_of(rules)
    for line, ways in lines.items():
        assert math.isclose(grammar.log_prob(line), math.log(sum(ways)), abs_tol=1e-12)
        for other in (f"{line} a", line.rpartition(" ")[0], f"{line} ", line.upper()):
            assert other in lines or grammar.log_prob(other) == -math.inf
    total = math.fsum(math.exp(grammar.log_prob(line)) for line in lines)
    assert math.isclose(total, 1, rel_tol=1e-12)  # a few roundings for each of few lines


@given(TINY)
def test_entropy_and_longest(rules: Rules) -> None:
    grammar, lines = Grammar(text_of(rules)), lines_of(rules)
    entropy = -math.fsum(p * math.log(p) for ways in lines.values() for p in ways)
    assert math.isclose(grammar.entropy(), entropy, abs_tol=1e-12)
    assert grammar.longest() == max(map(len, lines))


@given(TINY)
def test_ambiguity(rules: Rules) -> None:
    ambiguous = [line for line, ways in lines_of(rules).items() if len(ways) > 1]
    found = Grammar(text_of(rules)).ambiguity()
    assert (found is None) == (not ambiguous)
    assert found is None or any(line.startswith(found) for line in ambiguous)


@given(TINY, st.integers())
def test_samples_are_lines(rules: Rules, seed: int) -> None:
    grammar, rng, lines = Grammar(text_of(rules)), random.Random(seed), lines_of(rules)
    assert all(grammar.sample(rng) in lines for _ in range(20))


# -- by hand ---------------------------------------------------------------------------------------

PETS = """
# comments, and blank lines, are left out
[HEADLINE]
3: ANIMAL sleeps   # so are comments here
ANIMAL, black ANIMAL bites ANIMAL

[ANIMAL]
dog, 4: cat
"""


def test_a_grammar_by_hand() -> None:
    pets = Grammar(PETS)
    wanted = {"dog sleeps": 3 / 25, "cat": 4 / 25, "black cat bites dog": 4 / 125, "dog cat": 0}
    for line, p in wanted.items():
        assert pets.log_prob(line) == pytest.approx(math.log(p) if p else -math.inf)
    animal = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    choice = -(0.6 * math.log(0.6) + 0.4 * math.log(0.2))
    assert pets.entropy("ANIMAL") == pytest.approx(animal)
    assert pets.entropy() == pytest.approx(choice + 0.8 * animal + 0.2 * 2 * animal)
    assert pets.longest() == len("black cat bites dog")
    assert pets.vocabulary == {"sleeps", "black", "bites", "dog", "cat"}
    assert pets.ambiguity() is None


def test_samples_come_as_often_as_they_should() -> None:
    pets, rng, count = Grammar(PETS), random.Random(0), 20_000
    drawn = Counter(pets.sample(rng) for _ in range(count))
    for line, times in drawn.items():
        p = math.exp(pets.log_prob(line))
        assert abs(times - count * p) < 5 * math.sqrt(count * p)  # five standard deviations
    assert math.isclose(sum(math.exp(pets.log_prob(line)) for line in drawn), 1, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("[HEADLINE]\nA, B\n[A]\nx, y\n[B]\nz, x", "x"),  # two rules of one word
        ("[HEADLINE]\na b, A b\n[A]\na, c", "a b"),  # a rule makes a word that stands there too
        ("[HEADLINE]\nA B\n[A]\na, a b\n[B]\nc, b c", "a b c"),  # the border can move
        ("[HEADLINE]\nx A B\n[A]\na, a b b\n[B]\nb b c, c", "x a b b c"),  # by two words
        ("[HEADLINE]\nA z, B z, C\n[A]\na\n[B]\nb\n[C]\nb D\n[D]\ny, z", "b z"),  # deeper down
        ("[HEADLINE]\nA A\n[A]\na, a a", "a a a"),  # one rule twice
    ],
)
def test_ambiguous(text: str, beginning: str) -> None:
    found = Grammar(text).ambiguity()
    assert found is not None
    assert beginning.startswith(found)


@pytest.mark.parametrize(
    "text",
    [
        "[HEADLINE]\nA, B\n[A]\nx, y\n[B]\nz",
        "[HEADLINE]\na b, A c\n[A]\na",  # alike except for the end
        "[HEADLINE]\nA B\n[A]\na, a b\n[B]\nc, d",
        "[HEADLINE]\na, a a",  # one is the beginning of the other
        "[HEADLINE]\nA, A A\n[A]\na b, a c",
    ],
)
def test_not_ambiguous(text: str) -> None:
    assert Grammar(text).ambiguity() is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\n[HEADLINE]\nc", "line 1: 'a b' is no alternative"),
        ("[HEADLINE]\na\n[A]\nb\n[A]\nc", "line 5: a second rule A"),
        ("[HEADLINE]\na, b\n2: a", "line 3: '2: a' is in HEADLINE already"),
        ("[HEADLINE]\na, , b", "line 2: ' ' is no alternative"),
        ("[HEADLINE]\na,", "line 2: '' is no alternative"),
        ("[HEADLINE]\nx: a", "line 2: 'x: a' is no alternative"),
        ("[HEADLINE]\n-1: a", "line 2: '-1: a' is no alternative"),
        ("[HEADLINE]\na  b", "line 2: 'a  b' is no alternative"),
        ("[HEADLINE]\nMixed", "line 2: 'Mixed' is no alternative"),
        ("[HEADLINE]\na1", "line 2: 'a1' is no alternative"),
        ("[headline]\na", "line 1: '[headline]' is no alternative"),
        ("[HEADLINE]\na B", "no rule B, which HEADLINE uses"),
        ("[HEADLINE]\na\n[A]\nb B", "no rule B, which A uses"),
        ("[HEADLINE]\na HEADLINE", "rule HEADLINE leads back to itself by HEADLINE"),
        ("[HEADLINE]\nA\n[A]\na, B\n[B]\nb A", "rule A leads back to itself by HEADLINE A B"),
    ],
)
def test_no_such_grammar(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Grammar(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "HEADLINE"),
        ("[A]\na", "HEADLINE"),  # nothing to begin with
        ("[HEADLINE]\nA\n[A]\n[B]\nb", r"\bA\b"),  # a rule without alternatives
        ("[HEADLINE]\na, 0: b", "line 2: ' 0: b'"),  # probability 0 has no ln p
        ("[HEADLINE]\n0: a", "line 2: '0: a'"),
        ("[HEADLINE]\na, 00: b", "line 2: ' 00: b'"),
    ],
)
def test_a_grammar_that_can_not_make_a_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grammar(text)


# -- the bundled headlines -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled() -> Any:
    return script.load()


@pytest.fixture(scope="module")
def written(bundled: Any) -> dict[str, str]:
    """The files that the script writes."""
    return dict(script.files(bundled))


def committed(name: str) -> str:
    return (DATA / name).read_bytes().decode("ascii")


def test_size_of_the_grammar(bundled: Any) -> None:
    assert len(bundled.vocabulary) > 1000
    assert len(bundled.shapes) >= 100
    assert len(set(bundled.shapes)) == len(bundled.shapes)


def test_no_headline_can_be_made_in_two_ways(bundled: Any) -> None:
    assert bundled.ambiguity() is None


@pytest.mark.parametrize("split", SPLITS)
def test_headlines_are_the_scripts(written: dict[str, str], split: str) -> None:
    assert committed(f"{split}.txt") == written[f"{split}.txt"]
    assert committed(f"{split}.txt").count("\n") == SPLITS[split]


def test_figures_are_the_scripts(written: dict[str, str], bundled: Any) -> None:
    """Equal to the last digit, except logarithms, in which C libraries differ."""
    assert set(written) == {"train.txt", "val.txt", "test.txt", "entropy.json"}
    ours, theirs = json.loads(committed("entropy.json")), json.loads(written["entropy.json"])
    assert committed("entropy.json") == json.dumps(ours, indent=2) + "\n"
    assert ours.pop("entropy_nats") == pytest.approx(bundled.entropy(), rel=1e-12)
    theirs.pop("entropy_nats")
    for figures, wanted in zip(ours["splits"].values(), theirs["splits"].values(), strict=True):
        nats = wanted.pop("nats_per_headline")
        assert figures.pop("nats_per_headline") == pytest.approx(nats, rel=1e-12)
    assert ours == theirs


def test_headlines_are_distinct_and_plain(bundled: Any) -> None:
    lines = [line for split in SPLITS for line in committed(f"{split}.txt").splitlines()]
    assert len(set(lines)) == len(lines) == sum(SPLITS.values())
    assert all(re.fullmatch("[a-z]+( [a-z]+)*", line) for line in lines)
    assert max(map(len, lines)) <= bundled.longest()


def test_mean_of_the_training_headlines_is_the_entropy(bundled: Any) -> None:
    """Nearly: repeated headlines are left out, and likely ones are repeated most."""
    nats = [-bundled.log_prob(line) for line in committed("train.txt").splitlines()]
    error = statistics.stdev(nats) / math.sqrt(len(nats))
    assert abs(statistics.fmean(nats) - bundled.entropy()) < 4 * error


def test_mean_of_new_headlines_is_the_entropy(bundled: Any) -> None:
    rng = random.Random(1)
    nats = [-bundled.log_prob(bundled.sample(rng)) for _ in range(5000)]
    error = statistics.stdev(nats) / math.sqrt(len(nats))
    assert abs(statistics.fmean(nats) - bundled.entropy()) < 4 * error


def test_another_seed_draws_others(bundled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SIZES", {"train": 20, "val": 5})
    drawn = [script.draw(bundled, seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(lines) for lines in drawn[0].values()] == [20, 5]


# -- the command line ------------------------------------------------------------------------------


def test_sample(capsys: pytest.CaptureFixture[str], bundled: Any) -> None:
    printed = []
    for seed in ("1", "1", "2"):
        assert script.main(["--sample", "3", "--seed", seed]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]
    lines = printed[0].splitlines()
    assert len(lines) == 3
    assert all(bundled.log_prob(line) > -math.inf for line in lines)


def test_log_prob(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, bundled: Any
) -> None:
    line = committed("val.txt").splitlines()[0]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\nno such headline\n"))
    assert script.main(["--log-prob"]) == 0
    wanted = [f"{bundled.log_prob(line):.4f}\t{line}", "-inf\tno such headline"]
    assert capsys.readouterr().out.splitlines() == wanted


def test_as_a_program() -> None:
    command = [sys.executable, str(DATA / "grammar.py"), "--sample", "2", "--seed", "5"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert len(ran.stdout.splitlines()) == 2


def test_one_deed_at_a_time() -> None:
    with pytest.raises(InputError, match="not allowed with"):
        script.main(["--write", "--log-prob"])


STORIES = (
    "[HEADLINE]\nSTORY\n[STORY]\nPETS\n[PETS]\nPET sleeps, PET bites PET\n[PET]\ndog, cat, cow"
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a small grammar, for the script to write to."""
    monkeypatch.setattr(script, "HERE", tmp_path)
    monkeypatch.setattr(script, "SIZES", {"train": 6, "val": 2, "test": 3})
    (tmp_path / "grammar.txt").write_text(STORIES, encoding="ascii")
    return tmp_path


def test_write_and_report(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main([]) == 1
    assert "train.txt, val.txt, test.txt, entropy.json" in capsys.readouterr().out
    assert script.main(["--write"]) == 0
    splits = [(directory / f"{name}.txt").read_text("ascii").splitlines() for name in SPLITS]
    assert list(map(len, splits)) == [6, 2, 3]
    assert set().union(*splits) <= set(lines_of_stories())
    assert script.main([]) == 0
    report = capsys.readouterr().out
    assert re.search(r"^shapes of story +2\nwords +5\nlongest line +13 characters\n", report, re.M)
    assert re.search(r"^in two ways +no line\nfiles not its own +none\n", report, re.M)
    (directory / "val.txt").write_text("cat sleeps\n", "ascii")
    assert script.main([]) == 1
    assert re.search(r"^files not its own +val.txt$", capsys.readouterr().out, re.M)


def lines_of_stories() -> list[str]:
    pets = ("dog", "cat", "cow")
    return [f"{one} sleeps" for one in pets] + [f"{a} bites {b}" for a in pets for b in pets]


def test_report_of_an_ambiguous_grammar(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = STORIES.replace("PET sleeps", "PET sleeps, cat sleeps")
    (directory / "grammar.txt").write_text(text, encoding="ascii")
    assert script.main(["--write"]) == 0
    assert script.main([]) == 1
    assert re.search(r"^in two ways +cat sleeps$", capsys.readouterr().out, re.M)
