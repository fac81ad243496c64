"""A Slurm cluster of one node, on this machine, for a test: no systemd, cgroups or accounting; it pretends to have a
GPU."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
ETC = Path("/etc/slurm")  # where `srun` looks inside a job, whatever SLURM_CONF says
PARTITIONS = ("batch", "accelerated")


class NoClusterError(Exception):
    """A cluster cannot be started here; the message says why."""


def install() -> None:
    """Install Debian's packages where they are missing.

    Raises:
        NoClusterError: no apt-get, or no package to be had.
    """
    if all(shutil.which(name) for name in ("slurmctld", "slurmd", "squeue", "munged")):
        return
    if not shutil.which("apt-get"):
        raise NoClusterError(f"Slurm is not installed, and there is no apt-get to install {' '.join(PACKAGES)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *PACKAGES])
    for command in commands:
        done = subprocess.run(
            ["apt-get", "-o", "DPkg::Lock::Timeout=300", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NoClusterError(f"apt-get {command[0]} failed: {(done.stdout + done.stderr).strip()[-300:]}")


@contextmanager
def cluster(folder: Path, cpus: int = 8) -> Iterator[None]:
    """Start munged, slurmctld and slurmd with all their files in ``folder``; stop them and remove the configuration at
    the end.

    Raises:
        NoClusterError: there is a configuration already, which is not touched.
        RuntimeError: a daemon does not start.
    """
    written = {ETC / "slurm.conf": _slurm_conf(folder, cpus), ETC / "gres.conf": "Name=gpu File=/dev/null\n"}
    if found := [str(file) for file in written if file.exists()]:
        raise NoClusterError(
            f"{' and '.join(found)} exists already: this machine belongs to a cluster, or a test did not end"
        )
    with ExitStack() as stack:
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(parents=True)
        ETC.mkdir(exist_ok=True)
        for file, text in written.items():
            stack.callback(file.unlink, missing_ok=True)
            file.write_text(text, encoding="utf-8")
        key = folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        munge = [f"--{name}={folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        _daemon(stack, folder, "munged", "--foreground", "--force", f"--key-file={key}", *munge)
        _wait(lambda: (folder / "munge/socket").exists(), "munged's socket", folder)
        _daemon(stack, folder, "slurmctld", "-D")
        _daemon(stack, folder, "slurmd", "-D", "-N", "node")
        _wait(lambda: "idle" in _output("sinfo", "--noheader", "--format=%T"), "an idle node", folder)
        stack.callback(_output, "scancel", "--user=root", "--full")
        yield


def _slurm_conf(folder: Path, cpus: int) -> str:
    return f"""ClusterName=test
SlurmctldHost={socket.gethostname().split(".")[0]}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
MinJobAge=300
KillWait=5
GresTypes=gpu
NodeName=node NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 Gres=gpu:1
PartitionName={PARTITIONS[0]} Nodes=node Default=YES MaxTime=INFINITE State=UP
PartitionName={PARTITIONS[1]} Nodes=node MaxTime=INFINITE State=UP
"""


def _daemon(stack: ExitStack, folder: Path, *command: str) -> None:
    """Start a daemon in the foreground, in a session of its own, and stop it when the stack unwinds."""
    log = stack.enter_context((folder / f"{command[0]}.log").open("w"))
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def stop() -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(stop)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


def _wait(ready: Any, what: str, folder: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            logs = "".join(f"\n--- {file.name}\n{file.read_text()[-1500:]}" for file in sorted(folder.glob("*.log")))
            raise RuntimeError(f"no {what} after {seconds:.0f} seconds:{logs}")
        time.sleep(0.2)
