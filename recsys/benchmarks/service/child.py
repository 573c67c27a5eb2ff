"""Servers in their own processes, on a free port of this machine."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from recsys.benchmarks.load import HOST
from recsys.dataset.project import Project
from recsys.errors import RecsysError

START_S = 120.0
STOP_S = 30.0
APPLICATIONS = Path(__file__).resolve().parents[3] / "tests" / "benchmarks"
"""Folder of baseline applications; it is part of a checkout, not of an installed package."""


class ServerError(RecsysError):
    """Server did not start; the message has the end of its output."""


@dataclass(frozen=True, slots=True)
class Server:
    """Running server. `process` is the one that was started; with one worker it also answers requests."""

    process: subprocess.Popen[bytes]
    port: int

    def resident_mb(self) -> float:
        """Return the resident memory in MB (10^6 bytes), as the kernel counts it."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise ServerError("the server has ended, so it has no memory to measure")

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def run_server(project: Project, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run `recsys serve` with default options, and with the variables of `environment`."""
    command = [sys.executable, "-c", "from recsys.cli.main import main; main()", "serve", str(project.root)]
    with _run_command([*command, "--host", HOST], log, "/readyz", environment) as server:
        yield server


@contextmanager
def run_application(
    name: str, path: str, log: Path, environment: Mapping[str, str] | None = None, *, factory: bool = False
) -> Iterator[Server]:
    """Run an application of `APPLICATIONS`, such as `bare_app:app`, with the uvicorn settings of `recsys serve`.

    It is ready when it answers to `path`. Raises ServerError outside of a checkout.
    """
    if not (APPLICATIONS / f"{name.partition(':')[0]}.py").is_file():
        raise ServerError(f"{name} is not in {APPLICATIONS}; run this in a checkout of the repository")
    command = [sys.executable, "-m", "uvicorn", name, "--app-dir", str(APPLICATIONS), "--no-access-log"]
    command += ["--factory"] if factory else []
    with _run_command([*command, "--host", HOST], log, path, environment) as server:
        yield server


@contextmanager
def _run_command(
    command: Sequence[str], log: Path, path: str, environment: Mapping[str, str] | None
) -> Iterator[Server]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [*command, "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        until = time.monotonic() + START_S
        while not answers(port, path):
            if process.poll() is not None or time.monotonic() > until:
                text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ServerError(f"the server did not start (exit code {process.poll()}): {text}")
            time.sleep(0.05)
        yield Server(process, port)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def answers(port: int, path: str) -> bool:
    """Return True if a server answers to `path` with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
