"""Token buckets against a plain one that keeps its tokens."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.api.overload.rates import RateLimits, address_of


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    burst=st.integers(1, 8),
    rate=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
    # Binary fractions, so that both count without rounding.
    pauses=st.lists(st.integers(0, 40).map(lambda eighths: eighths / 8), max_size=60),
)
def test_it_grants_what_a_bucket_of_tokens_grants(burst: int, rate: float, pauses: list[float]) -> None:
    clock = Clock()
    limits = RateLimits(rate, burst, clock=clock)
    tokens = Fraction(burst)
    for pause in pauses:
        clock.now += pause
        tokens = min(Fraction(burst), tokens + Fraction(pause) * Fraction(rate))
        allowance = limits.take("one")
        assert allowance.granted == (tokens >= 1)
        if tokens >= 1:
            tokens -= 1
            assert allowance.retry_s == 0
        else:
            assert allowance.retry_s == pytest.approx(float((1 - tokens) / Fraction(rate)))
        assert allowance.remaining == int(tokens)
        assert allowance.reset_s == pytest.approx(float((burst - tokens) / Fraction(rate)))


def test_who_waits_as_long_as_told_is_served() -> None:
    clock = Clock()
    limits = RateLimits(3.0, 2, clock=clock)
    for _ in range(50):
        while not (allowance := limits.take("one")).granted:
            clock.now += allowance.retry_s + 1e-9
    assert clock.now == pytest.approx(48 / 3, abs=0.01)


def test_workers_share_rate_and_burst() -> None:
    limits = RateLimits(8.0, 10, workers=4, clock=Clock())
    granted = sum(limits.take("one").granted for _ in range(20))
    assert granted == 2
    assert limits.take("one").retry_s == pytest.approx(0.5)
    assert RateLimits(8.0, 2, workers=4, clock=Clock()).take("one").granted


def test_buckets_are_bounded_and_the_one_used_last_stays() -> None:
    limits = RateLimits(1.0, 50, max_buckets=3, clock=Clock())
    for number in range(50):
        assert limits.take("busy").remaining == 49 - number
        assert limits.take(f"once {number}").remaining == 49
        assert len(limits) <= 3
    assert not limits.take("busy").granted
    # The last three are known, "once 47" is not any more.
    assert [limits.take(f"once {number}").remaining for number in (49, 48, 47)] == [48, 48, 49]


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:aaaa::1", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:bbbb::9", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("a:b", 1), "a:b"),
        (None, "unknown"),
    ],
)
def test_an_address_stands_for_one_customer(client: tuple[str, int] | None, address: str) -> None:
    assert address_of(client) == address
