"""`python -m teenygpt_np.merge RUN --out DIR`: make a run with LoRA a plain one."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil

from teenygpt_np.cli import Parser, path, run_command, set_up
from teenygpt_np.errors import InputError


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.merge", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--out", type=path, metavar="DIR", required=True, help="a new directory for the plain run"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, add the products to the weights, save; 0."""
    args = _parser().parse_args(arguments)
    set_up(1)
    from teenygpt_np import checkpoint, run_directory
    from teenygpt_np.training.objectives import objective_of

    run_directory.check_files(args.run)
    run, out = run_directory.load_run(args.run), args.out
    if not run.config.is_frozen:
        raise InputError(f"{args.run} is a plain run already: all of its weights are its own")
    run_directory.check_new(out)
    out.mkdir(parents=True, exist_ok=True)
    config = dataclasses.replace(run.config, lora_rank=0, train_only="all")
    if not objective_of(config, run.tokenizer).refers:  # its scores need no base either
        config = dataclasses.replace(config, base="", base_hash="")
    description = run.meta | run_directory.description(config, run.tokenizer)
    with contextlib.closing(run_directory.lock(out)):
        run_directory.begin(out, description)
        weights = {f"model/{name}": array for name, array in run.model.merged_state().items()}
        checkpoint.save(out / run_directory.BEST, weights, description)
        for name in (run_directory.METRICS, run_directory.TEST):
            if (args.run / name).exists():
                shutil.copyfile(args.run / name, out / name)
        for path in sorted((args.run / run_directory.SAMPLES).glob("epoch_*.txt")):
            shutil.copyfile(path, out / run_directory.SAMPLES / path.name)
    print(f"{out}: {sum(array.size for array in weights.values()):,} parameters")
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.merge", main)
