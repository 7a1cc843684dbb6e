"""A training of several processes, in which one of them does something after a step.

mpiexec -n 2 python -m mpi4py one_rank.py RANK STEP kill|stop|raise|full|deaf FLAGS ...
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from running import after_step

from teenygpt_np import checkpoint, train
from teenygpt_np.cli import run_command
from teenygpt_np.ranks import ranks
from teenygpt_np.training import console


def _fail(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "last.npz")


def do(what: str) -> None:
    """Die, be asked to stop, fail, or have a full disk or nobody to print to from now on."""
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "stop":
        signal.raise_signal(signal.SIGTERM)
    elif what == "raise":
        raise ValueError("something unforeseen")
    elif what == "full":
        checkpoint.save = _fail
    else:
        os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdout.fileno())
        console._LINES = 0.0  # seconds: a line for each step


if __name__ == "__main__":
    rank, step, what, *flags = sys.argv[1:]
    mine = ranks().number == int(rank)
    with after_step(int(step), lambda: do(what) if mine else None):
        run_command("teenygpt_np.train", lambda: train.main(flags), shared_out=True)
