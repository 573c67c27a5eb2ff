"""Draining: the service stops being ready, then accepts no connections, then ends; no request is lost."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

logger = logging.getLogger(__name__)

NOTICE_S = 0.5
"""Time for which a draining process still listens: balancers see /readyz fail, and connections that the kernel has
already accepted are served instead of being reset."""
GRACE_S = 1.0
"""Time after the drain in which images and buffers may finish, before the process is ended."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Drain:
    """State of draining.

    Attributes:
        draining: Whether the service is about to stop.
        signalled: Whether the signal that ends the process has arrived.
    """

    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        """Create the state; `stop` ends the service, without it only the state changes."""
        self.draining = False
        self.signalled = False
        self._stop = stop

    def begin(self) -> None:
        """Stop being ready."""
        self.draining = True

    def request(self) -> None:
        """Begin, and end all processes of this service."""
        self.begin()
        if self._stop is not None:
            self._stop()


def stop_service() -> None:
    """Send SIGTERM to the process that runs this service or supervises its workers."""
    supervisor = multiprocessing.parent_process()
    os.kill(os.getpid() if supervisor is None or supervisor.pid is None else supervisor.pid, signal.SIGTERM)


def notice_s(drain_s: float) -> float:
    """Return the part of `drain_s` in which new connections are still accepted, in seconds."""
    return min(NOTICE_S, drain_s / 4)


def drain_on_signals(drain: Drain, drain_s: float) -> None:
    """Make SIGTERM and SIGINT begin `drain` and reach the server only after the notice; a second signal acts at once.

    Call it in the server's event loop, after the server has set its own handlers. Outside of the main thread, where no
    server gets signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        server = signal.getsignal(number)
        if callable(server):
            loop.add_signal_handler(number, _on_signal, loop, drain, drain_s, number, server)


def _on_signal(
    loop: asyncio.AbstractEventLoop,
    drain: Drain,
    drain_s: float,
    number: int,
    server: Callable[[int, FrameType | None], object],
) -> None:
    if drain.signalled:
        server(number, None)
        return
    drain.signalled = True
    drain.begin()
    logger.info("draining: requests in flight have %g s", drain_s)
    # On a thread, because an event loop that is stuck could not end the process.
    watch = threading.Timer(drain_s + GRACE_S, _end)
    watch.daemon = True
    watch.start()
    loop.call_later(notice_s(drain_s), server, number, None)


def _end() -> None:
    logger.warning("requests or images were unfinished at the end of the drain")
    logging.shutdown()
    os._exit(0)
