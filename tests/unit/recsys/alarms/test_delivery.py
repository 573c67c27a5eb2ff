"""Messages reach the operator's own address or command, signed, and each of them once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from recsys.alarms.delivery import MailCommand, Webhook, open_channels
from recsys.alarms.messages import Message, alarm_message
from recsys.alarms.outbox import Outbox
from recsys.config import AlarmSettings
from recsys.errors import ConfigError, DeliveryError
from recsys.experiments.analysis.alarms import Alarm, AlarmKind

SECRET = "a secret for tests only"  # noqa: S105
ALARM = Alarm(
    "mild/5/harm/ctr/mild", AlarmKind.HARM, "mild", "Milder", "mild", "ctr", 9, 1000, 0.001, "It is worse.\nReally."
)
FIRST, SECOND = alarm_message(ALARM), Message("digest/2026-11-29", "Experiments", "None.\n", {"type": "digest"})


@dataclass
class Receiver:
    answers: list[int] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((self.path, dict(self.headers), body))
            status = made.answers.pop(0) if made.answers else 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{made.url}/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def hook(receiver: Receiver, retries: int = 2) -> tuple[Webhook, list[float]]:
    waited: list[float] = []
    return Webhook(f"{receiver.url}/alarms?shop=1", SECRET, 5.0, retries, waited.append), waited


def test_a_post_is_signed_json(receiver: Receiver) -> None:
    hook(receiver)[0].send(FIRST)
    ((path, headers, body),) = receiver.got
    assert path == "/alarms?shop=1"
    at, signature = (part.partition("=")[2] for part in headers["Recsys-Signature"].split(","))
    assert signature == hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert (told["id"], told["type"], told["arm"], told["metric"]) == (ALARM.id, "alarm", "mild", "ctr")
    assert headers["Idempotency-Key"]


def test_failures_that_pass_are_tried_again(receiver: Receiver) -> None:
    receiver.answers = [503, 429]
    channel, waited = hook(receiver)
    channel.send(FIRST)
    assert waited == [1.0, 2.0]
    assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.got}) == 1
    receiver.answers = [500] * 9
    with pytest.raises(DeliveryError, match=r"answered 500.*3 tries"):
        channel.send(FIRST)


@pytest.mark.parametrize(("status", "words"), [(302, "redirects are not followed"), (400, "not accepted")])
def test_redirects_and_rejections_are_final(receiver: Receiver, status: int, words: str) -> None:
    receiver.answers = [status]
    with pytest.raises(DeliveryError, match=words):
        hook(receiver)[0].send(FIRST)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "url", ["http://shop.example/x", "ftp://shop.example", "https://", "https://me:pw@shop.example", "https://h:x/"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"alarms\.webhook"):
        open_channels(AlarmSettings(webhook=url), {"RECSYS_ALARM_SECRET": SECRET})


def test_a_webhook_needs_a_secret() -> None:
    with pytest.raises(ConfigError, match="RECSYS_ALARM_SECRET"):
        open_channels(AlarmSettings(webhook="https://shop.example/x"), {})
    assert open_channels(AlarmSettings(), {}) == []


def test_a_command_gets_the_text_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "mail; $(touch x)"
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    (channel,) = open_channels(AlarmSettings(command=(sys.executable, "-c", script, str(out))), {})
    channel.send(FIRST)
    told = out.read_text(encoding="utf-8")
    assert told == f"Subject: Experiment mild: harm\nX-Recsys-Alarm: {ALARM.id}\n\nMilder\n\n{ALARM.words}\n"
    waits: list[float] = []
    broken = (sys.executable, "-c", "import sys; print('no relay', file=sys.stderr); sys.exit(3)")
    with pytest.raises(DeliveryError, match="ended with 3: no relay"):
        MailCommand(broken, 20.0, 1, waits.append).send(FIRST)
    assert waits == [1.0]
    with pytest.raises(DeliveryError, match="no command '/no/such'"):
        MailCommand(("/no/such",), 5.0, 3, waits.append).send(FIRST)


def test_each_message_is_delivered_once(receiver: Receiver, tmp_path: Path) -> None:
    channel, _ = hook(receiver, 0)
    assert Outbox(tmp_path).deliver([FIRST], [channel], 1) == [FIRST]
    assert Outbox(tmp_path).deliver([FIRST, SECOND], [channel], 2) == [SECOND]
    receiver.answers = [503]
    third = Message("other", "Other", "", {})
    outbox = Outbox(tmp_path)
    assert outbox.deliver([third], [channel], 3) == []
    assert "answered 503" in outbox.failures[0]
    # What was not accepted is tried at the next check.
    assert Outbox(tmp_path).deliver([FIRST, SECOND, third], [channel], 4) == [third]
    assert len(receiver.got) == 4
    (tmp_path / "sent.json").write_text("{", encoding="utf-8")
    with pytest.raises(DeliveryError, match="restore it"):
        Outbox(tmp_path).deliver([FIRST], [channel], 5)


def test_a_kill_between_two_messages_repeats_none(tmp_path: Path) -> None:
    """The process dies while it delivers the second message; the next check delivers only that one."""
    program = f"""
import os, signal
from pathlib import Path
from recsys.alarms.messages import Message
from recsys.alarms.outbox import Outbox
class Channel:
    name = "file"
    def send(self, message):
        if message.id == "two" and not os.environ.get("CALM"):
            os.kill(os.getpid(), signal.SIGKILL)
        with open({str(tmp_path / "got")!r}, "a") as file:
            file.write(message.id + "\\n")
messages = [Message("one", "", "", {{}}), Message("two", "", "", {{}})]
Outbox(Path({str(tmp_path / "state")!r})).deliver(messages, [Channel()], 1)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "CALM": "1"})
    assert (tmp_path / "got").read_text(encoding="utf-8") == "one\ntwo\n"
