"""`python -m teenygpt_np.export RUN --to TARGET`: take a trained model to other programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path

from teenygpt_np.cli import Parser, path, run_command, set_up
from teenygpt_np.errors import InputError
from teenygpt_np.exporter import SETTINGS, TARGETS


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.export", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    targets = "; ".join(f"{name}: {target.help}" for name, target in TARGETS.items())
    parser.add_argument("--to", choices=list(TARGETS), required=True, help=targets)
    kinds = dict.fromkeys(kind for target in TARGETS.values() for kind in target.weights)
    defaults = ", ".join(f"{name}: {target.weights[0]}" for name, target in TARGETS.items())
    parser.add_argument(
        "--weights", choices=list(kinds), help=f"how weights are kept (default: {defaults})"
    )
    for setting, text in SETTINGS.items():
        values = {v: 0 for target in TARGETS.values() for v in target.settings.get(setting, ())}
        parser.add_argument(f"--{setting}", choices=list(values), help=text)
    names = ", ".join(target.name for target in TARGETS.values())
    parser.add_argument(
        "--out", type=path, metavar="PATH", help=f"what is written (default: in RUN, {names})"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, write; 0."""
    args = _parser().parse_args(arguments)
    set_up(1)
    from teenygpt_np.run_directory import check_directory, check_files, check_not_own, load_run

    target = TARGETS[args.to]
    weights = args.weights or target.weights[0]
    if weights not in target.weights:
        wanted = " or ".join(target.weights)
        raise InputError(f"--weights is {weights}, wanted {wanted} with --to {args.to}")
    settings = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    if others := [name for name in settings if name not in target.settings]:
        able = " or ".join(name for name in TARGETS if others[0] in TARGETS[name].settings)
        raise InputError(f"--{others[0]} is for --to {able}, and --to is {args.to}")
    check_files(args.run)
    run = load_run(args.run)
    out = args.out or args.run / target.name
    module = import_module(f"teenygpt_np.exporter.{args.to}")
    files = module.files(run, weights, **settings)
    check_directory(out.parent)
    if list(files) == [target.name]:
        check_not_own(out)
        _write(out.parent, {out.name: files[target.name]})
    else:
        _check_directory(out, {*files, *target.built})
        _write(out, files)
    print(f"{out}: {sum(map(len, files.values())):,} bytes", flush=True)
    if target.tells:
        print(module.told(run, args.run.parent, weights, **settings))
    return 0


def _check_directory(out: Path, names: Collection[str]) -> None:
    """Raise InputError if it holds anything but files of these names."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out is {out}, a file; wanted a directory")
    held = (file.relative_to(out).as_posix() for file in out.rglob("*") if not file.is_dir())
    if others := sorted(set(held).difference(names)):
        raise InputError(f"{out} holds {others[0]}, which is not of an export; wanted a new --out")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, each as a whole or not at all."""
    from teenygpt_np.checkpoint import atomic_file

    for name, content in files.items():
        file = folder / name
        if file.exists() and not file.is_file():
            what = "a directory" if file.is_dir() else "no file"
            raise InputError(f"--out is {file}, {what}; wanted a file")
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file.resolve()) as written:  # write to a link's target, and keep the link
            written.write(content)


if __name__ == "__main__":
    run_command("teenygpt_np.export", main)
