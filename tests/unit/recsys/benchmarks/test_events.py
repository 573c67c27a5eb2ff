from __future__ import annotations

from recsys.benchmarks.events import draw_batches, event_lines


def test_the_table_has_each_kind_of_database(postgres_url: str) -> None:
    lines = list(event_lines(postgres_url, batches=3, size=10))
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "plain sqlite3, same pragmas",
        "events on SQLite",
        "events on PostgreSQL",
    ]
    assert all(float(line.split()[-1]) > 0 for line in lines[2:])


def test_events_are_the_same_every_time_and_each_is_new() -> None:
    batches = draw_batches(4, 25, seed=3)
    assert batches == draw_batches(4, 25, seed=3)
    assert batches != draw_batches(4, 25, seed=4)
    assert len({event.event_id for batch in batches for event in batch}) == 100
