"""Whether two hosts take what ranks.py computes: network namespaces with limited bandwidth.

    pip install -e ".[mpi]"
    sudo $(which python) benchmarks/two_hosts.py --json

Needs Linux, iproute2, root, and two cores. Each host is a network namespace with one end of a
virtual cable, whose bandwidth `tc` limits; mpiexec reaches the other as it would by ssh, through a
script. Two processes of one thread share each batch.

computed: half of one process's step, and the time for what is sent by that bandwidth.
overlap: what is sent of the gradients, while the processor works as long as a step takes, and after
it. Its row says how much of the step the first saves: the most that sending the gradients during
backward could bring, since the last of them is there only at its end.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ranks
import sides

NETWORKS = {"1 Gbit/s": 1e9, "100 Mbit/s": 1e8}
HOSTS = {"teenygpt1": "10.99.0.1", "teenygpt2": "10.99.0.2"}  # namespaces and their addresses
EXCHANGES = 9


def ip(*arguments: str) -> None:
    """Run iproute2's ip."""
    subprocess.run(["ip", *arguments], check=True)


def link(name: str) -> str:
    """What ip says of a host's end of the cable."""
    show = ["ip", "-n", name, "link", "show", "eth0"]
    return subprocess.run(show, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def two_hosts(bits_per_s: float) -> Iterator[list[str]]:
    """Two namespaces that a cable connects.    -> the command that begins a process on each"""
    first, second = HOSTS
    try:
        for name in HOSTS:
            ip("netns", "add", name)
        cable = ["link", "add", "eth0", "netns", first, "type", "veth"]
        ip(*cable, "peer", "name", "eth0", "netns", second)
        for name, address in HOSTS.items():
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                ip("-n", name, "link", "set", device, "up")
            limit = ["rate", f"{bits_per_s:.0f}bit", "burst", "128kb", "latency", "100ms"]
            queue = ["tc", "-n", name, "qdisc", "add", "dev", "eth0", "root", "tbf", *limit]
            subprocess.run(queue, check=True)
        while any("state UP" not in link(name) for name in HOSTS):
            time.sleep(0.1)
        with tempfile.TemporaryDirectory() as folder:
            yield ["ip", "netns", "exec", first, *_mpiexec(Path(folder) / "as_ssh")]
    finally:
        for name in HOSTS:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


def _mpiexec(as_ssh: Path) -> list[str]:
    cases = " ".join(f"{address}) ns={name};;" for name, address in HOSTS.items())
    as_ssh.write_text(
        f'#!/bin/sh\nwhile [ "${{1#-}}" != "$1" ]; do shift; done\ncase $1 in {cases} esac\n'
        'shift\nexec ip netns exec "$ns" sh -c "$*"\n',
        encoding="utf-8",
    )
    as_ssh.chmod(0o755)
    # Both are one machine: without these MPI would find the memory that they share.
    only_tcp = ["env", "UCX_TLS=tcp,self", "UCX_NET_DEVICES=eth0", "MPIR_CVAR_NOLOCAL=1"]
    launcher = ["-launcher", "ssh", "-launcher-exec", str(as_ssh), "-iface", "eth0"]
    return [*only_tcp, ranks.MPIEXEC, *launcher, "-hosts", ",".join(HOSTS.values()), "-n", "2"]


def on_two_hosts(bits_per_s: float, preset: str, flags: list[str], num_bytes: int) -> list[float]:
    """Milliseconds of a step, and of as long a work with an exchange after it and during it."""
    with two_hosts(bits_per_s) as launch:
        ms = ranks.step_ms(preset, [*launch, sys.executable, "-m", "mpi4py"], 1, flags)
        code = f"import two_hosts; two_hosts.exchange({num_bytes}, {ms / 1000})"
        done = subprocess.run(
            [*launch, sys.executable, "-c", code],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )
    return [ms, *map(float, done.stdout.split())]


def exchange(num_bytes: int, seconds: float) -> None:
    """Print milliseconds of work and an exchange of so many bytes, one after the other and at once.

    Run by each of two processes, of which the first prints.
    """
    import numpy as np
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    sent, received = np.ones((2, 2, num_bytes), np.uint8)
    matrix, medians = np.ones((64, 64), np.float32), []

    def work(request: Any) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            matrix @ matrix
            if request is not None:
                request.Test()  # MPI goes on with it only when it is called

    for at_once in (False, True):
        times = []
        for _ in range(EXCHANGES):
            comm.Barrier()
            start = time.perf_counter()
            if at_once:
                request = comm.Ialltoall(sent, received)
                work(request)
                request.Wait()
            else:
                work(None)
                comm.Alltoall(sent, received)
            times.append(1000 * (time.perf_counter() - start))
        medians.append(sides.median(times))
    if comm.rank == 0:
        print(*medians)


def main() -> None:
    """Print two tables in Markdown."""
    args = sides.arguments(__doc__, rounds=3)
    steps: list[dict[str, Any]] = []
    overlap: list[dict[str, Any]] = []
    for preset in ranks.PRESETS[:1] if args.short else ranks.PRESETS:
        flags, parameters = ranks.settings(preset, short=args.short)
        one = [sys.executable]
        tasks: dict[str, sides.Task] = {
            "one": (ranks.step_ms, preset, one, 1, [*flags, "--shards=1"])
        }
        sent = ranks.sent(parameters, 2)
        for network, bits in NETWORKS.items():
            two = [*flags, "--shards=2"]
            tasks[network] = (on_two_hosts, bits, preset, two, int(sent / 2))
        found, _ = sides.alternate(preset, tasks, args.rounds)
        alone = sides.median(found["one"])
        for network, bits in NETWORKS.items():
            ms, after, during = (
                sides.median(values) for values in zip(*found[network], strict=True)
            )
            names = {"preset": preset, "network": network}
            computed = alone / 2 + 1000 * sent / (bits / 8)
            steps.append(names | {"computed, ms": computed, "measured, ms": ms})
            steps[-1]["measured, of computed"] = ms / computed
            overlap.append(names | {"after, ms": after, "during, ms": during})
            overlap[-1]["saved, of the step"] = f"{(after - during) / after:.1%}"
    sides.report(args, two_hosts=steps, overlap=overlap)


if __name__ == "__main__":
    main()
