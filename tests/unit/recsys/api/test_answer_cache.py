from __future__ import annotations

from recsys.api.answer_cache import AnswerCache, CachedList, Key
from recsys.schema import ItemId
from recsys.storage.live.exposures import EncodedLists
from recsys.storage.live.user_state import NO_STATE


def made(size: int = 10) -> CachedList:
    items = (ItemId("mug"),)
    return CachedList(b"x" * size, items, (1.0,), (None,), EncodedLists.from_lists(items, (1.0,), (None,)), "v1", {})


def key(user_id: str = "anna", query: bytes = b"limit=5", last_event: int = 0) -> Key:
    return Key(user_id, NO_STATE._replace(last_event=last_event), query, "")


def test_an_answer_is_given_again_to_the_same_person_in_the_same_state() -> None:
    answers, answer = AnswerCache(100_000), made()
    answers.put(key(), answer)
    assert answers.get(key()) is answer
    assert answers.get(key(last_event=1)) is None, "an event changes the state"
    assert answers.get(key(query=b"limit=6")) is None
    assert answers.get(key("bert")) is None
    assert (answers.hits, answers.misses) == (1, 1)


def test_the_least_recently_used_goes_first() -> None:
    answers = AnswerCache(3 * 2_500)
    for name in ("a", "b", "c"):
        answers.put(key(name), made(500))
    assert answers.get(key("a")) is not None
    answers.put(key("d"), made(500))
    assert [name for name in "abcd" if answers.get(key(name)) is not None] == ["a", "c", "d"]


def test_what_is_larger_than_the_whole_is_not_kept() -> None:
    answers = AnswerCache(3_000)
    answers.put(key(), made(2_000))
    assert answers.get(key()) is None
    nothing = AnswerCache(0)
    nothing.put(key(), made())
    assert nothing.get(key()) is None


def test_a_person_is_forgotten_and_a_new_model_starts_empty() -> None:
    answers = AnswerCache(100_000)
    for name in ("anna", "bert"):
        answers.put(key(name), made())
    answers.put(key("anna", b""), made())
    answers.forget("anna")
    assert answers.get(key("anna")) is None
    assert answers.get(key("anna", b"")) is None
    assert answers.get(key("bert")) is not None
    fresh = answers.empty_copy()
    assert fresh.get(key("bert")) is None
    assert (fresh.hits, fresh.misses) == (1, 3)
