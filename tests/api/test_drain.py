"""A service that is told to stop answers what it has, takes nothing new, and ends with exit code 0."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from recsys.api.overload.drain import Drain, notice_s
from recsys.dataset.project import Project

Serve = Callable[..., httpx.Client]
ADMIN = "an admin key for tests"
IN_FLIGHT = 50
BODY = json.dumps({"limit": 3}).encode()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def _service(
    project: Project, workers: int, log: Path, drain_s: float = 8
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`recsys serve` as a process of its own, ready."""
    port = _free_port()
    code = "from recsys.cli.main import main; main()"
    command = [sys.executable, "-c", code, "serve", str(project.root), "--port", str(port)]
    environment = {
        **os.environ,
        "RECSYS_ADMIN_KEYS": ADMIN,
        "RECSYS__SERVICE__MAX_WAITING": "100",
        "RECSYS__SERVICE__DRAIN_S": str(drain_s),
    }
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [*command, "--workers", str(workers), "--log-format", "json"], env=environment, stderr=lines
        )
    try:
        until = time.monotonic() + 120
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            time.sleep(0.1)
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _begun_request(port: int) -> socket.socket:
    """A request that the service has begun to read, and that it cannot answer before the rest of its body comes."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = (
        f"POST /v1/recommendations HTTP/1.1\r\nHost: shop\r\nX-API-Key: {ADMIN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    connection.sendall(head.encode() + BODY[:5])
    return connection


def _finished(connection: socket.socket) -> bytes:
    """Sends the rest; the whole answer, up to where the service closes the connection."""
    connection.sendall(BODY[5:])
    answer = b""
    while part := connection.recv(65_536):
        answer += part
    connection.close()
    return answer


def _await_refusal(port: int) -> None:
    """Returns once new connections are refused; what came shortly before that may have been cut off."""
    until = time.monotonic() + 6
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/livez", timeout=1)
        except httpx.ConnectError:
            return
        except httpx.TransportError:
            continue
        time.sleep(0.1)
    raise AssertionError("the service still takes connections")


def _sigterm(process: subprocess.Popen[bytes], _: int) -> None:
    process.send_signal(signal.SIGTERM)


def _admin_drain(_: subprocess.Popen[bytes], port: int) -> None:
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/admin:drain", headers={"X-API-Key": ADMIN})
    assert (answer.status_code, answer.json()) == (202, {"status": "draining"})


@pytest.mark.parametrize(
    ("workers", "stop"),
    [
        (1, _sigterm),
        (2, _admin_drain),
        pytest.param(1, _admin_drain, marks=pytest.mark.slow),
        pytest.param(2, _sigterm, marks=pytest.mark.slow),
    ],
)
def test_what_is_in_flight_completes_and_the_process_ends_well(
    sample_project: Project, tmp_path: Path, workers: int, stop: Callable[[subprocess.Popen[bytes], int], None]
) -> None:
    log = tmp_path / "log"
    with _service(sample_project, workers, log) as (process, port):
        connections = [_begun_request(port) for _ in range(IN_FLIGHT)]
        time.sleep(0.3)
        stop(process, port)
        told = time.monotonic()
        _await_refusal(port)
        answers = [_finished(connection) for connection in connections]
        assert [answer.split(b"\r\n", 1)[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * IN_FLIGHT
        for answer in answers:
            assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["items"]) == 3
        assert process.wait(timeout=30) == 0
        assert time.monotonic() - told < 8 + 2
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    answered = [line for line in lines if line.get("route") == "/v1/recommendations"]
    assert [line["status"] for line in answered] == [200] * IN_FLIGHT
    assert {line["key"] for line in answered} == {"environment-admin-1"}


@pytest.mark.slow
def test_a_request_that_never_ends_does_not_hold_the_process(sample_project: Project, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _service(sample_project, 1, log, drain_s=2) as (process, port):
        held = _begun_request(port)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").json()["type"] == "/problems/draining"
        assert process.wait(timeout=30) == 0
        assert 1.5 < time.monotonic() - told < 4
        held.close()


def test_a_service_that_drains_says_so_and_asks_once_for_its_end(serve: Serve) -> None:
    stopped: list[str] = []
    client = serve(drain=Drain(lambda: stopped.append("now")))
    assert client.get("/readyz").status_code == 200
    assert client.post("/v1/admin:drain").status_code == 202
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/draining")
    assert stopped == ["now"]
    # Whoever did not hear of it is still served.
    assert client.get("/livez").status_code == 200
    assert client.get("/v1/items/p00").status_code == 200


def test_the_notice_is_a_part_of_the_time_to_drain() -> None:
    assert (notice_s(8.0), notice_s(1.0), notice_s(0.0)) == (0.5, 0.25, 0.0)
