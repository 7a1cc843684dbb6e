"""`python -m teenygpt_np.merge RUN --out DIR`: make a run with LoRA a plain one."""

from __future__ import annotations

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
    from teenygpt_np import plain, run_directory

    run_directory.check_files(args.run)
    run, out = run_directory.load_run(args.run), args.out
    if not run.config.is_frozen:
        raise InputError(f"{args.run} is a plain run already: all of its weights are its own")
    weights, config = run.model.merged_state(), plain.plain(run.config, run.tokenizer)
    with plain.saved(out, weights, run.meta, config, run.tokenizer) as made:
        for name in (run_directory.METRICS, run_directory.TEST):
            if (args.run / name).exists():
                shutil.copyfile(args.run / name, made / name)
        for samples in sorted((args.run / run_directory.SAMPLES).glob("epoch_*.txt")):
            shutil.copyfile(samples, made / run_directory.SAMPLES / samples.name)
    print(f"{out}: {sum(array.size for array in weights.values()):,} parameters")
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.merge", main)
