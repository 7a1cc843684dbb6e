"""What int8 costs: nats of finished runs in the arithmetic of the exported C, beside float32.

    python benchmarks/bits.py --json -- RUN ...

Each run is scored on a hundred texts, or windows, of its validation split: by the model as it was
trained, then with weights and products in int8, keys and values in float16 or in int8, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sides


def row(directory: Path) -> dict[str, Any]:
    """What is measured of a run."""
    from teenygpt_np.exporter import c, c_sources
    from teenygpt_np.run_directory import load_run

    run = load_run(directory)
    caches = ("float16", "int8") if "attention" in run.config.mixers else (None,)
    found = {cache: c.scores(run, directory.parent, "int8", cache) for cache in caches}
    whole = found[caches[-1]]
    twin = c.twin_of(run, "int8")
    return {
        "preset": run.config.preset,
        "mixer": run.config.mixer,
        "text": Path(run.config.data).name or "bundled",
        "float32, kB": 4 * run.model.num_parameters() / 1e3,
        "int8, kB": c_sources.weights(twin, [b""] * twin.vocab, {})[1] / 1e3,
        "float32, nats": whole.before,
        "int8 but the cache, nats": found["float16"].own if "float16" in found else None,
        "int8, nats": whole.own,
        "lost": f"{whole.own / whole.before - 1:.2%}",
    }


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, rounds=1, others="run directories")
    sides.report(args, bits=[row(Path(name)) for name in args.others])


if __name__ == "__main__":
    main()
