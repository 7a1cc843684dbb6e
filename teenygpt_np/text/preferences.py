"""Preferences: a prompt and two answers, of which the first was preferred; read and split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from teenygpt_np.errors import InputError
from teenygpt_np.text.files import FileTexts
from teenygpt_np.text.headlines import Hashes, in_turn
from teenygpt_np.text.pairs import divided
from teenygpt_np.text.report import Report
from teenygpt_np.text.saved import Sink
from teenygpt_np.text.tokenizer import Ids, Tokenizer
from teenygpt_np.text.tuples import Preferences

COLUMNS = ["prompt", "chosen", "rejected"]


def read_preferences(
    source: Path, columns: Sequence[str], encoding: str, split_on: str, notes: list[str]
) -> tuple[dict[str, Iterable[str | None]], list[str]]:
    """Prompt, chosen, rejected, prompt and so on of a table, as the split "all"; `COLUMNS`.

    Raises InputError for anything else.
    """
    if columns:
        raise InputError(f"--column is {columns[0]}, wanted none: preferences have {COLUMNS}")
    if source.is_dir():
        raise InputError(f"{source} is a directory, wanted a .jsonl of preferences")
    return {"all": FileTexts(source, list(COLUMNS), encoding, notes)}, list(COLUMNS)


def splits(
    source: str,
    texts: Mapping[str, Iterable[str | None]],
    tokenizer: Tokenizer,
    report: Report,
    sink: Sink,
    seed: int,
) -> dict[str, Preferences]:
    """The preferences in three splits. All with one prompt and chosen answer are in the same one.

    Raises InputError if there are too few.
    """
    rows, hashes = _encoded(source, texts["all"], tokenizer, report, sink)
    return divided(source, rows, hashes, report, seed, "chosen text")


def whole(
    source: str, texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> Preferences:
    """All preferences in their order. Raises InputError if nothing is left of them."""
    return _encoded(source, texts, tokenizer, report, sink)[0]


def _encoded(
    source: str, texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> tuple[Preferences, Hashes]:
    """The preferences, without those that lack an answer or have the same twice.

    -> preferences; hashes (2, N): of the prompt with the chosen answer, of the whole row
    """
    lengths, prompts, hashes = list[int](), list[int](), list[tuple[int, int]]()
    equal = 0
    for some in in_turn(texts, 3):
        found = list(zip(some[::3], some[1::3], some[2::3], strict=True))
        given = [(p, c, r) for p, c, r in found if None not in (p, c, r)]
        report.read += len(found)
        report.missing += len(found) - len(given)
        ids: list[Ids] = []
        for row in given:
            prompt, chosen, rejected = _folded(row, tokenizer, report)
            if not (chosen and rejected):
                report.empty += 1
            elif chosen == rejected:
                equal += 1
            else:
                before = tokenizer.encode_prompt(prompt)
                after = (tokenizer.encode([answer])[0] for answer in (chosen, rejected))
                both = [np.concatenate([before, answer, [tokenizer.end]]) for answer in after]
                ids += both
                lengths += map(len, both)
                prompts.append(len(before))
                hashes.append((hash((prompt, chosen)), hash((prompt, chosen, rejected))))
        sink.append(np.concatenate([np.zeros(0, np.int64), *ids]).astype(tokenizer.dtype))
    report.check_read(source)
    if equal:
        report.notes.append(f"{equal:,} with two equal answers, dropped")
    if not lengths:
        raise InputError(f"{source} has no preferences: nothing left of {report}")
    rows = Preferences.of_ids(sink.taken(), np.array(lengths, np.uint32), 2, tokenizer)
    rows = rows.with_numbers(prompt=np.array(prompts, np.uint32))
    return rows, np.array(hashes, np.int64).T


def _folded(row: Sequence[str | None], tokenizer: Tokenizer, report: Report) -> list[str]:
    """A prompt and its answers, folded. A space where they meet is kept, as it is in sampling."""
    texts = [text or "" for text in row]
    took = [tokenizer.fold(text) for text in texts]
    report.folded += any(one.changed for one in took)
    for one in took:
        report.replaced.update(one.replaced)
        report.gap = gap = one.gap
    prompt, *answers = [one.text for one in took]
    if tokenizer.running or not prompt:
        return [prompt, *answers]
    if texts[0][-1:].isspace():
        return [prompt + gap, *answers]
    begun = zip(texts[1:], answers, strict=True)
    return [prompt, *(gap * bool(f and text[:1].isspace()) + f for text, f in begun)]
