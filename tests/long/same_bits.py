"""Do two checkouts compute the same? Train every preset with both, and compare bit for bit.

    python tests/long/same_bits.py ../other-checkout [--presets tiny,small] [--epochs 2]

For each preset and backend, each checkout trains on a part of the bundled text, by its own command
line and in a process of its own. Compared are the weights and optimizer states of both checkpoints,
the metrics, the samples, the test's result, and what `sample` and `evaluate` print. Prints a row
for each; exit status 1 where anything differs. Until 0.2.0 the warm-up of a run of less than 1,000
steps was longer: take `--epochs 80`, or the preset `article`, to compare with an older checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PRESETS = "tiny,small,medium,article"
LINES = {"train": 400, "val": 40, "test": 40}
CLOCK = ("seconds", "tokens_per_s")


def command(checkout: Path, backend: str, *arguments: str | Path) -> str:
    """What a command of a checkout prints."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments), "--threads=2"],
        cwd=checkout,
        env=os.environ | {"MINIGRAD_BACKEND": backend, "PYTHONPATH": str(checkout)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{checkout}: {done.stderr}")
    return done.stdout


def trained(
    checkout: Path, backend: str, preset: str, data: Path, epochs: int
) -> dict[str, object]:
    """All that a training of a checkout leaves behind, by name."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        flags = ["--preset", preset, f"--epochs={epochs}", "--quiet"]
        command(checkout, backend, "teenygpt_np.train", "--data", data, "--out", out, *flags)
        found: dict[str, object] = {"test.json": (out / "test.json").read_text("utf-8")}
        for name in ("best.npz", "last.npz"):
            with np.load(out / name) as arrays:
                kept = [key for key in arrays.files if key not in ("meta", "sha256")]
                found |= {f"{name}: {key}": arrays[key].tobytes() for key in kept}
        for number, line in enumerate((out / "metrics.jsonl").read_text("utf-8").splitlines()):
            told = json.loads(line)
            found[f"epoch {number}"] = {k: v for k, v in told.items() if k not in CLOCK}
        found |= {path.name: path.read_bytes() for path in (out / "samples").iterdir()}
        for name, *more in (["sample", "-n5", "--seed=3", "--prompt=ma"], ["evaluate", "--json"]):
            found[name] = command(checkout, backend, f"teenygpt_np.{name}", out, *more)
    return found


def main() -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("--presets", default=PRESETS)
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        for split, count in LINES.items():
            lines = (ROOT / "data" / f"{split}.txt").read_text("utf-8").splitlines(keepends=True)
            (data / f"{split}.txt").write_text("".join(lines[:count]), encoding="utf-8")
        print(f"{'preset':10}{'backend':10}{'compared':>10}{'differ':>8}")
        for preset in args.presets.split(","):
            for backend in ("numba", "numpy"):
                ours, theirs = (
                    trained(checkout.resolve(), backend, preset, data, args.epochs)
                    for checkout in (ROOT, args.other)
                )
                names = ours.keys() | theirs.keys()
                wrong = sorted(name for name in names if ours.get(name) != theirs.get(name))
                row = f"{preset:10}{backend:10}{len(names):10}{len(wrong):8}"
                print(row, *wrong[:3], flush=True)
                differ += len(wrong)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
