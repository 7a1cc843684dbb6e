"""`python -m teenygpt_np.import FILE --out DIR`: make a run from weights in a safetensors file."""

from __future__ import annotations

import json

from teenygpt_np.cli import Parser, path, run_command, set_up
from teenygpt_np.config import SETTINGS, Config
from teenygpt_np.errors import InputError


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.import", description=__doc__)
    parser.add_argument("file", type=path, metavar="FILE", help="a .safetensors file")
    parser.add_argument(
        "--config",
        type=path,
        metavar="RUN",
        help="a run with the same settings and alphabet (default: those that FILE names, if it was "
        "exported from a run)",
    )
    parser.add_argument(
        "--out", type=path, metavar="DIR", required=True, help="a new directory for the run"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, read, check, save; 0."""
    args = _parser().parse_args(arguments)
    set_up(1)
    import numpy as np

    from teenygpt_np import plain, run_directory
    from teenygpt_np.exporter import safetensors
    from teenygpt_np.model.building import outline

    arrays, metadata = safetensors.read(args.file)
    described = None
    if safetensors.RUN in metadata:
        try:
            found = json.loads(metadata[safetensors.RUN])
            described = found, *run_directory.described(found)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{args.file} has settings that can't be used: {error}") from error
    if args.config is not None:
        own, described = described, run_directory.read_description(args.config)
        if own and (name := _first_difference(own[1], described[1])):
            a, b = (getattr(config, name) for config in (own[1], described[1]))
            raise InputError(f"{args.file} has {name} {a}, and {args.config} {b}; wanted the same")
    if described is None:
        raise InputError(
            f"{args.file} does not say what model it is of; wanted --config with a run of the same"
        )
    found, config, tokenizer = described
    config = plain.plain(config, tokenizer)
    with np.errstate(over="ignore"):  # what is infinite then is refused, as it is in any file
        weights = {name: array.astype(np.float32) for name, array in arrays.items()}
    parameters = dict(outline(config, tokenizer.num_token_vals).named_parameters())
    run_directory.check_arrays(weights, parameters, args.file)
    with plain.saved(args.out, weights, found, config, tokenizer):
        pass
    print(f"{args.out}: {sum(array.size for array in weights.values()):,} parameters")
    return 0


def _first_difference(one: Config, other: Config) -> str:
    """The first setting in which two models are not alike, though their shapes may be; or ''."""
    names = (name for name, setting in SETTINGS.items() if setting.of == "model")
    return next((n for n in names if getattr(one, n) != getattr(other, n)), "")


if __name__ == "__main__":
    run_command("teenygpt_np.import", main)
