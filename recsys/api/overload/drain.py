"""Stopping without losing a request: not ready first, then no new connections, then the end."""

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
"""How long a process that was told to stop still listens: balancers see /readyz fail, and connections that the kernel
has accepted already are served instead of being reset."""
GRACE_S = 1.0
"""After the time to drain, how long what is left (pictures in work, buffers) may take before the process just ends."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Drain:
    """Whether the service is about to stop. `stop` makes it stop; without it the state alone changes.

    `signalled`: whether the signal that ends the process has come.
    """

    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        self.draining = False
        self.signalled = False
        self._stop = stop

    def begin(self) -> None:
        """No longer ready."""
        self.draining = True

    def request(self) -> None:
        """Begin, and ask for the end of all processes of this service."""
        self.begin()
        if self._stop is not None:
            self._stop()


def stop_service() -> None:
    """Tell the process that runs this service, or the one that supervises its workers, to stop."""
    supervisor = multiprocessing.parent_process()
    os.kill(os.getpid() if supervisor is None or supervisor.pid is None else supervisor.pid, signal.SIGTERM)


def notice_s(drain_s: float) -> float:
    """Seconds of `drain_s` in which new connections are still taken."""
    return min(NOTICE_S, drain_s / 4)


def drain_on_signals(drain: Drain, drain_s: float) -> None:
    """From now on SIGTERM and SIGINT begin `drain`, and reach the server only after the notice; a second one at once.

    To be called in the server's event loop, after the server has set its own handlers. Outside of the main thread,
    where no server gets signals, it does nothing.
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
    logger.info("draining: what is in flight has %g s", drain_s)
    # A thread of its own: an event loop that is stuck could not end the process.
    watch = threading.Timer(drain_s + GRACE_S, _end)
    watch.daemon = True
    watch.start()
    loop.call_later(notice_s(drain_s), server, number, None)


def _end() -> None:
    logger.warning("requests or pictures were still in work when the time to drain was over")
    logging.shutdown()
    os._exit(0)
