"""Calls at their times: in order, none forgotten, also when the clock has passed or the end comes."""

from __future__ import annotations

import threading
import time

import pytest

from recsys.restyling.deadlines import Deadlines


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines()


def test_calls_come_in_the_order_of_their_times_and_not_before(deadlines: Deadlines) -> None:
    begun = time.monotonic()
    calls: list[tuple[int, float]] = []
    done = threading.Event()
    for delay in (80, 20, 50, 20):
        deadlines.at(begun + delay / 1000, lambda delay=delay: calls.append((delay, time.monotonic() - begun)))
    deadlines.at(begun + 0.1, done.set)
    assert done.wait(5)
    assert [delay for delay, _ in calls] == [20, 20, 50, 80]
    assert all(when >= delay / 1000 for delay, when in calls)
    deadlines.close()


def test_what_is_late_is_called_here_and_now(deadlines: Deadlines) -> None:
    threads: list[threading.Thread] = []
    deadlines.at(time.monotonic() - 1, lambda: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()]
    deadlines.close()


def test_an_earlier_call_wakes_the_thread(deadlines: Deadlines) -> None:
    done = threading.Event()
    deadlines.at(time.monotonic() + 60, lambda: None)
    time.sleep(0.02)
    deadlines.at(time.monotonic() + 0.02, done.set)
    assert done.wait(5)
    deadlines.close()


def test_the_end_calls_all_that_waits(deadlines: Deadlines) -> None:
    calls: list[int] = []
    for index in range(5):
        deadlines.at(time.monotonic() + 60 + index, lambda index=index: calls.append(index))
    deadlines.close()
    assert calls == [0, 1, 2, 3, 4]
    deadlines.at(time.monotonic() + 60, lambda: calls.append(5))
    assert calls[-1] == 5


def test_many_threads_lose_no_call(deadlines: Deadlines) -> None:
    calls: list[int] = []

    def add(seed: int) -> None:
        for index in range(200):
            deadlines.at(time.monotonic() + (seed * 7 + index * 13) % 40 / 1000, lambda: calls.append(seed))

    threads = [threading.Thread(target=add, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.06)
    deadlines.close()
    assert len(calls) == 800
