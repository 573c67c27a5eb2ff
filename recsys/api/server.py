"""Server: one process, or a supervisor with several workers; a stop ends with exit code 0."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import ExitStack

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from recsys.api.auth.security import LINK_KEY_VARIABLE, load_link_key
from recsys.api.logs import LogFormat, log_config
from recsys.api.metrics import DIRECTORY_VARIABLE
from recsys.api.overload.drain import SIGNALS, notice_s
from recsys.api.worker import PROJECT_VARIABLE
from recsys.config import ENVIRONMENT_PREFIX
from recsys.dataset.project import Project

WORKERS_VARIABLE = f"{ENVIRONMENT_PREFIX}SERVICE__WORKERS"
LOOPBACK = "127.0.0.1,::1"


def serve(
    project: Project,
    *,
    host: str,
    port: int,
    workers: int,
    log_format: LogFormat = LogFormat.TEXT,
    forwarded_allow_ips: str = LOOPBACK,
    root_path: str = "",
) -> None:
    """Serve a project until SIGTERM, SIGINT or `POST /v1/admin:drain`, then return.

    Args:
        project: Project with at least one bundle.
        host: Address to bind.
        port: Port to bind.
        workers: Number of processes.
        log_format: Format of the log.
        forwarded_allow_ips: Proxies whose X-Forwarded-For is trusted, separated by commas, or "*".
        root_path: Prefix under which a proxy has mounted the service.

    Raises:
        SystemExit: The service cannot start; the code is not 0.
    """
    os.environ[PROJECT_VARIABLE] = str(project.root)
    # Each worker grants its part of a rate limit, so it needs the number of workers.
    os.environ[WORKERS_VARIABLE] = str(workers)
    # Workers must accept links of each other and links from before a restart.
    os.environ.setdefault(LINK_KEY_VARIABLE, load_link_key(project.root))
    drain_s = project.settings.service.drain_s
    loop = "asyncio"
    protocol: str | type[asyncio.Protocol] = "h11"
    if sys.platform != "win32":
        # httptools and uvloop do not exist on Windows.
        from recsys.api.overload.protocol import SheddingProtocol

        loop, protocol = "uvloop", SheddingProtocol
    with ExitStack() as stack:
        if workers > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="recsys-metrics-"))
            os.environ[DIRECTORY_VARIABLE] = folder
            stack.callback(os.environ.pop, DIRECTORY_VARIABLE, None)
        else:
            os.environ.pop(DIRECTORY_VARIABLE, None)
        # The server raises the signal that stopped it again; by default that would kill this process.
        for number in SIGNALS:
            stack.callback(signal.signal, number, signal.signal(number, lambda *_: sys.exit(0)))
        config = uvicorn.Config(
            "recsys.api.worker:service",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            loop=loop,
            http=protocol,
            ws="none",
            log_config=log_config(log_format),
            # The access log would write user ids.
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=forwarded_allow_ips,
            root_path=root_path,
            # The server gets the signal after the notice. Its type is int.
            timeout_graceful_shutdown=max(0, round(drain_s - notice_s(drain_s))),
        )
        run(config)


def run(config: uvicorn.Config) -> None:
    """Run one or several processes until they are stopped. Raises SystemExit with code 3 if they cannot start."""
    if config.workers > 1:
        _Supervisor(config, sockets=[config.bind_socket()]).run()
        return
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)


class _Supervisor(Multiprocess):
    """Supervisor that closes its socket when workers stop; otherwise callers would wait for an answer forever."""

    def terminate_all(self) -> None:
        for socket in self.sockets:
            socket.close()
        super().terminate_all()

    def run(self) -> None:
        super().run()
        if any(process.exitcode == STARTUP_FAILURE for process in self.processes):
            raise SystemExit(STARTUP_FAILURE)
