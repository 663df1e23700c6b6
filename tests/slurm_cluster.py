"""A real Slurm on one machine: Debian's daemons, several nodes, in a folder of their own.

``cluster`` starts munged, slurmctld and one slurmd a node in the foreground, as children of this
process, and ends them all. It takes root, and the packages of `PACKAGES`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = "munge slurmctld slurmd slurm-client"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
CONF = """\
ClusterName=xstilts
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
# A job that queues again waits for the credentials of its former start to run out.
AuthInfo=socket={folder}/munge.sock,cred_expire=15
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
KillWait=5
NodeName=n[1-{nodes}] NodeAddr=127.0.0.1 NodeHostname={host} Port=[{first}-{last}] {size}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """The programs that are not installed."""
    return [one for one in PROGRAMS if shutil.which(one) is None]


def _free_ports(count: int) -> int:
    """The first of so many free ports in a row, below those that Linux gives out."""
    for first in range(20_000 + secrets.randbelow(10_000), 32_000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for port, one in enumerate(sockets, start=first):
                one.bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no free ports")


@contextmanager
def cluster(nodes: int = 3) -> Iterator[list[str]]:
    """Run a Slurm for a while; the names of its nodes, as Slurm says them.

    ``SLURM_CONF`` points to it meanwhile.
    """
    # Sockets have short names.
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    daemons: list[subprocess.Popen] = []
    port = _free_ports(nodes + 1)
    text = CONF.format(
        host=socket.gethostname().partition(".")[0],
        folder=folder,
        port=port,
        first=port + 1,
        last=port + nodes,
        nodes=nodes,
        size=f"CPUs={os.cpu_count()} RealMemory=8000",
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")

    def start(name: str, *command: str) -> None:
        with (folder / f"{name}.log").open("wb") as log:
            daemons.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=-3))

    try:
        files = ("key-file=munge.key", "socket=munge.sock", "pid-file=munge.pid")
        files += ("log-file=munge.log", "seed-file=munge.seed")
        options = (f"--{one.replace('=', f'={folder}/')}" for one in files)
        start("munged", "munged", "--foreground", "--force", *options)
        _until((folder / "munge.sock").exists, "munged")
        start("slurmctld", "slurmctld", "-D", "-c")
        for number in range(1, nodes + 1):
            (folder / f"spool-n{number}").mkdir()
            start(f"slurmd-{number}", "slurmd", "-D", "-N", f"n{number}")
        idle = ("sinfo", "--noheader", "--Node", "--states=idle", "--format=%N")
        _until(lambda: len(_said(*idle)) == nodes, f"the nodes; see {folder}")
        yield _said(*idle)
    finally:
        _said("scancel", "--user=root")
        _until(lambda: not _said("squeue", "--noheader"), "the queue to be empty", fail=False)
        for one in reversed(daemons):
            one.terminate()
        for one in daemons:
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        if before is None:
            del os.environ["SLURM_CONF"]
        else:
            os.environ["SLURM_CONF"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _said(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split()


def _until(true, what: str, *, fail: bool = True) -> None:
    end = time.monotonic() + 120
    while not true():
        if time.monotonic() > end:
            assert not fail, f"waited in vain for {what}"
            return
        time.sleep(0.1)
