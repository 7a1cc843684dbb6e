"""A training of several processes, in which one of them does something after a step.

mpiexec -n 2 python -m mpi4py one_rank.py RANK STEP kill|stop|raise|full FLAGS ...
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


def _fail(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "last.npz")


def do(what: str) -> None:
    """Die, be asked to stop, fail, or have a full disk from now on."""
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "stop":
        signal.raise_signal(signal.SIGTERM)
    elif what == "raise":
        raise ValueError("something unforeseen")
    else:
        checkpoint.save = _fail


if __name__ == "__main__":
    rank, step, what, *flags = sys.argv[1:]
    mine = ranks().number == int(rank)
    with after_step(int(step), lambda: do(what) if mine else None):
        run_command("teenygpt_np.train", lambda: train.main(flags))
