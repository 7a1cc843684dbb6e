"""A page to write with a model: one HTML file that needs no network, no library and no server."""

from __future__ import annotations

import base64
from importlib.resources import files as resources
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.decoders import decoder
from teenygpt_np.inspector.page import page
from teenygpt_np.run_directory import REPORT, TrainedRun
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.headlines import unit_of

_SHARED = ("parts.js",)  # of the inspector's page, which this one looks like
_FILES = {"inspect.html": "how it learns, from one text", REPORT: "how its training went"}


def files(run: TrainedRun, weights: str) -> dict[str, bytes]:
    """The page, with all weights as one byte each and a scale for each row of a matrix.

    Raises InputError for a model or an alphabet that the page does not know.
    """
    model = decoder(run, "page", mixers=("attention",), tokenizers=("characters", "bytes"))
    tokenizer = run.tokenizer
    ids = range(tokenizer.num_token_vals)
    characters, gap, folds = "", " ", dict[str, str]()
    if isinstance(tokenizer, CharacterTokenizer):
        characters, gap, folds = tokenizer.characters, tokenizer.gap, tokenizer.folds()
    texts = "running text" if tokenizer.running else f"{unit_of(run.config.data)}s"
    data: dict[str, Any] = {
        "lead": f"A language model of {model.num_parameters():,} parameters, which has learned "
        f"from {texts}. It runs in this page; nothing is sent anywhere.",
        "about": f"It reads at most {model.num_tokens} tokens.",
        "model": {
            "width": model.embedding.weight.shape[1],
            "heads": run.config.num_heads,
            "blocks": len(model.transformer_blocks),
            "eps": model.transformer_blocks[0].layer_norm1.eps,
            "most": model.num_tokens,
            "end": -1 if tokenizer.running else tokenizer.end,
            "running": tokenizer.running,
            "rotary": model.positions == "rotary",
        },
        "begin": tokenizer.encode_prompt("").tolist(),
        "signs": tokenizer.signs(ids),
        "characters": list(characters),  # of ids 1, 2, ...; none: ids are bytes
        "gap": gap,  # what others become, but for these
        "folds": folds,
        "files": list(_FILES.items()),
        "weights": {name: packed(array) for name, array in model.effective_state().items()},
    }
    assets = resources("teenygpt_np.exporter") / "assets"
    data["worker"] = (assets / "worker.js").read_text(encoding="utf-8")
    own = {kind: (assets / f"writer.{kind}").read_text(encoding="utf-8") for kind in ("js", "css")}
    title = "A small language model"
    return {"page.html": page(title, data, _SHARED, own["js"], own["css"]).encode("utf-8")}


def packed(array: Array) -> dict[str, str]:
    """An array in base64: of a matrix each row as int8 with its scale, of anything else float32."""
    if array.ndim != 2:
        return {"float32": _base64(array.astype("<f4"))}
    scale = np.abs(array).max(axis=1, initial=0).astype("<f4") / np.float32(127)
    integers = np.round(array / np.where(scale == 0, 1, scale)[:, None])
    return {"int8": _base64(integers.astype(np.int8)), "scale": _base64(scale)}


def _base64(array: Array) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")
