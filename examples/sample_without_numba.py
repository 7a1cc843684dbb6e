"""Write headlines with NumPy alone, as on a small board, and measure its time and memory.

Usage: python examples/sample_without_numba.py [RUN] [-n N]

RUN is a run directory, copied from the machine where it was trained. Without it a model of the
default size with random weights writes nonsense, at the same cost. Prints the headlines, the
seconds until the first and for each after it, and the peak memory of the process: about 40 MB, most
of it used by Python and NumPy themselves. Numba is not loaded, even if it is installed.
"""

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()


def main() -> int:
    """Load or make the model, write headlines, print time and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("-n", type=int, default=3)
    args = parser.parse_args()

    # Set before the imports, which read both. Each BLAS thread takes memory, so there is only one.
    os.environ |= {"MINIGRAD_BACKEND": "numpy", "OPENBLAS_NUM_THREADS": "1"}
    import numpy as np

    from teenygpt_np.config import Config
    from teenygpt_np.model.building import build_model
    from teenygpt_np.run_directory import load_run
    from teenygpt_np.text.characters import CharacterTokenizer
    from teenygpt_np.text.tokenizer import Tokenizer

    rng = np.random.default_rng()
    tokenizer: Tokenizer = CharacterTokenizer()
    if args.run:
        run = load_run(args.run)
        model, tokenizer = run.model, run.tokenizer
    else:
        model = build_model(Config(), tokenizer.num_token_vals, rng)
    times = []
    for _ in range(args.n):
        prompt = tokenizer.encode_prompt("").tolist()
        ids = model.sample(1, 0.8, prompt=prompt, end=tokenizer.end, rng=rng)
        print(tokenizer.decode(ids[0]))
        times.append(time.perf_counter() - STARTED)
    print(f"{model.num_parameters():,} parameters, the first headline after {times[0]:.2f} s")
    print(f"{(times[-1] - times[0]) / max(args.n - 1, 1):.3f} s for each after it")
    if importlib.util.find_spec("resource"):  # not on Windows
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{peak * (1 if sys.platform == 'darwin' else 1024) / 1e6:.0f} MB at the peak")
    print(f"numba loaded: {'numba' in sys.modules}")
    return 0


if __name__ == "__main__":
    from teenygpt_np.cli import run_command

    run_command("sample_without_numba", main)
