"""Server: one process, or a supervisor with several workers; a stop ends with exit code 0."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from socket import socket

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from recsys.api.auth.security import ADMIN_KEYS_VARIABLE, API_KEYS_VARIABLE, LINK_KEY_VARIABLE, Security, load_link_key
from recsys.api.logs import LogFormat, log_config
from recsys.api.metrics import DIRECTORY_VARIABLE
from recsys.api.overload.drain import SIGNALS, notice_s
from recsys.api.worker import PROJECT_VARIABLE
from recsys.config import ENVIRONMENT_PREFIX
from recsys.dataset.project import Project
from recsys.errors import ConfigError
from recsys.serving.live_store import LiveStore

logger = logging.getLogger(__name__)

WORKERS_VARIABLE = f"{ENVIRONMENT_PREFIX}SERVICE__WORKERS"
LOOPBACK = "127.0.0.1,::1"
MAX_DESCRIPTORS = 65_536
MAX_EARLY_DEATHS = 5
"""Workers that may die before they serve; then the service stops, since the next one would die, too."""


def serve(
    project: Project,
    *,
    host: str,
    port: int,
    workers: int,
    log_format: LogFormat = LogFormat.TEXT,
    forwarded_allow_ips: str = LOOPBACK,
    root_path: str = "",
    is_open: bool = False,
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
        is_open: Accept requests without a key from other machines, if there are no keys.

    Raises:
        ConfigError: There are no keys, and other machines can reach the address.
        StorageError: The database of live data cannot be opened.
        SystemExit: The service cannot start; the code is not 0.
    """
    with LiveStore.open(project) as live:
        needs_no_key = Security.from_environment(os.environ, live.keys.active).is_open
    if needs_no_key and not is_open and not _is_loopback(host):
        raise ConfigError(
            f"the service has no keys, so everybody who reaches {host} could read and write: make a key with "
            f"`recsys key create`, set {API_KEYS_VARIABLE} and {ADMIN_KEYS_VARIABLE}, or add --open"
        )
    os.environ[PROJECT_VARIABLE] = str(project.root)
    # Each worker grants its part of a rate limit, so it needs the number of workers.
    os.environ[WORKERS_VARIABLE] = str(workers)
    # Workers must accept links of each other and links from before a restart.
    os.environ.setdefault(LINK_KEY_VARIABLE, load_link_key(project.root))
    drain_s = project.settings.service.drain_s
    loop = "asyncio"
    protocol: str | type[asyncio.Protocol] = "h11"
    if sys.platform != "win32":
        _raise_descriptor_limit()
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


def _is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _raise_descriptor_limit() -> None:
    """Use all descriptors that the system grants; the usual limit of a shell is 1,024."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft not in (resource.RLIM_INFINITY,) and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Supervisor(Multiprocess):
    """Supervisor of workers.

    It closes its socket when workers stop; otherwise callers would wait for an answer forever. It stops if workers die
    again and again, so that a service manager sees it.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._ready: set[int | None] = set()
        self._early_deaths = 0

    def keep_subprocess_alive(self) -> None:
        """Replace dead workers, and stop if too many of them died before they served."""
        for process in self.processes:
            if process.pid in self._ready:
                continue
            if process.exitcode is not None:
                self._early_deaths += 1
            elif process.is_ready(timeout=1):
                self._ready.add(process.pid)
                self._early_deaths = 0
        if self._early_deaths >= MAX_EARLY_DEATHS:
            logger.error(
                "%d workers died before they served, so the service stops; lines above name the cause",
                self._early_deaths,
            )
            self.should_exit.set()
        else:
            super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def run(self) -> None:
        super().run()
        if self._early_deaths >= MAX_EARLY_DEATHS or any(
            process.exitcode == STARTUP_FAILURE for process in self.processes
        ):
            raise SystemExit(STARTUP_FAILURE)
