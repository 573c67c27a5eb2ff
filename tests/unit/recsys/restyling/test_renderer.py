"""The restyler: in time or the original, once for all who ask, and the same bytes again."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image, ImageDraw

from recsys.config import RestyleSettings
from recsys.restyling import originals
from recsys.restyling.render_result import RenderResult, RestyleStatus
from recsys.restyling.renderer import Renderer
from recsys.restyling.target import EncodedStyle
from recsys.storage.cache import DiskCache
from style.credit import StyleCredit
from style.errors import ImageError, UnknownEngineError, VectorError, WeightsError
from style.fidelity import Limit
from style.images import Pixels, decode_image, read_image, to_pixels
from style.mask import Mask
from style.modes import PaintMode, Strength
from style.preprocess.recipe import Recipe
from style.provenance.mark import ImageFormat, read_mark
from style.transfer.base import Painting, Stylizer
from style.vector import StyleVector
from tests.render_requests import request_for

LONG_MS = 30_000


class Negative(Stylizer):
    """Inverts colors once its gate is open, and counts how often."""

    name: ClassVar[str] = "negative"
    model_sha256 = "cd" * 32

    def __init__(self, version: str = "negative-1") -> None:
        self.version = version
        self.painted = 0
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        self.begun.set()
        assert self.gate.wait(20)
        self.painted += 1
        return [Painting(np.zeros_like(image), 1 - 2 * image) for image in images]


class Broken(Stylizer):
    """Fails at every picture."""

    name: ClassVar[str] = "broken"
    version = "broken-1"

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        raise RuntimeError("out of order")


@pytest.fixture
def engine() -> Negative:
    return Negative()


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "cache", max_bytes=10_000_000)


@pytest.fixture
def build(cache: DiskCache) -> Iterator[Callable[..., Renderer]]:
    built: list[Renderer] = []

    def make(engine: Stylizer, *, settings: dict[str, Any] | None = None, **bounds: int) -> Renderer:
        # Without fidelity, unless a test asks for it: what is asked is what is painted.
        chosen = {"engine": engine.name, "size": 64, "deadline_ms": LONG_MS, "fidelity": False} | (settings or {})
        built.append(Renderer(RestyleSettings(**chosen), cache, load_engine=lambda _: engine, **bounds))
        return built[-1]

    yield make
    for restyler in built:
        restyler.close()


@pytest.fixture
def restyler(build: Callable[..., Renderer], engine: Negative) -> Renderer:
    return build(engine)


@pytest.fixture
def style() -> StyleVector:
    return StyleVector.from_values(np.random.default_rng(0).normal(size=128))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A busy picture with private metadata: there is no backdrop to spare."""
    path = tmp_path / "photo.jpg"
    noise = np.random.default_rng(1).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x013B] = "Jane Photographer"
    Image.fromarray(noise).resize((100, 120)).save(path, exif=exif, comment=b"Jane's flat")
    return path


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A blue cup on a white sheet."""
    path = tmp_path / "studio.png"
    image = Image.new("RGB", (120, 120), (250, 250, 250))
    ImageDraw.Draw(image).rectangle((35, 35, 85, 85), fill=(30, 60, 160))
    image.save(path)
    return path


def render(renderer: Renderer, photo: Path | bytes, style: StyleVector | None = None, **options: Any) -> RenderResult:
    return renderer.render(request_for(renderer, photo, style, **options))


def submit(
    renderer: Renderer, photo: Path | bytes, style: StyleVector | None = None, **options: Any
) -> Future[RenderResult]:
    return renderer.submit(request_for(renderer, photo, style, **options))


def pixels_of(restyled: RenderResult) -> Pixels:
    return to_pixels(decode_image(restyled.data))


def eventually(restyler: Renderer, photo: Path, style: StyleVector) -> RenderResult:
    """What deadline 0 gives once the render in the background is over."""
    for _ in range(400):
        answer = render(restyler, photo, style, deadline_ms=0)
        if answer.status is not RestyleStatus.ORIGINAL:
            return answer
        time.sleep(0.02)
    raise AssertionError("the render in the background never filled the cache")


def test_strength_0_is_the_photo_itself_unmarked(
    restyler: Renderer, engine: Negative, photo: Path, style: StyleVector
) -> None:
    answer = render(restyler, photo, style, strength=0.0, width=100, image_format=ImageFormat.PNG)
    np.testing.assert_array_equal(pixels_of(answer), read_image(photo))
    assert (answer.status, answer.settled, answer.engine) == (RestyleStatus.ORIGINAL, True, None)
    assert read_mark(answer.data) is None
    assert engine.painted == 0


@pytest.mark.parametrize("image_format", list(ImageFormat))
def test_a_restyled_picture_is_computed_then_cached_with_the_same_bytes(
    restyler: Renderer, engine: Negative, photo: Path, style: StyleVector, image_format: ImageFormat
) -> None:
    credit = StyleCredit("linen", "CC0-1.0")
    first, second = (
        render(restyler, photo, style, strength=0.5, image_format=image_format, credit=credit) for _ in range(2)
    )
    assert (first.status, second.status) == (RestyleStatus.COMPUTED, RestyleStatus.CACHED)
    assert first.data == second.data
    assert first.etag == second.etag
    assert first.media_type == f"image/{image_format.value}"
    assert first.engine == second.engine == "negative-1"
    assert engine.painted == 1
    mark = read_mark(first.data)
    assert mark is not None
    assert (mark.engine, mark.version, mark.credit) == ("negative", "negative-1", credit)
    assert (mark.strength, mark.mode, mark.model_sha256) == (Strength(0.5, 0.5), PaintMode.PRODUCT, "cd" * 32)


def test_the_picture_is_painted_at_the_strength_asked(restyler: Renderer, photo: Path, style: StyleVector) -> None:
    answer = render(restyler, photo, style, strength=0.25, width=100, image_format=ImageFormat.PNG)
    original = read_image(photo)
    np.testing.assert_allclose(pixels_of(answer), original + 0.25 * (1 - 2 * original), atol=1 / 255)


def test_a_plain_backdrop_stays_and_the_product_changes(restyler: Renderer, studio: Path, style: StyleVector) -> None:
    answer = pixels_of(render(restyler, studio, style, strength=1.0, width=120, image_format=ImageFormat.PNG))
    original = read_image(studio)
    np.testing.assert_array_equal(answer[:20], original[:20])
    np.testing.assert_allclose(answer[50:70, 50:70], 1 - original[50:70, 50:70], atol=1 / 255)


def test_nothing_of_the_input_metadata_is_in_the_output(restyler: Renderer, photo: Path, style: StyleVector) -> None:
    assert b"Jane" in photo.read_bytes()
    for strength in (0.0, 0.7):
        assert b"Jane" not in render(restyler, photo, style, strength=strength).data


@pytest.mark.parametrize(("width", "shape"), [(50, (60, 50)), (1000, (120, 100))])
def test_width_shrinks_and_never_enlarges(
    restyler: Renderer, photo: Path, style: StyleVector, width: int, shape: tuple[int, int]
) -> None:
    assert pixels_of(render(restyler, photo, style, width=width)).shape[:2] == shape
    assert pixels_of(render(restyler, photo, width=width)).shape[:2] == shape


def test_a_tall_picture_is_at_most_twice_as_high_as_the_width(restyler: Renderer, tmp_path: Path) -> None:
    Image.new("RGB", (100, 1000)).save(tmp_path / "tall.png")
    assert pixels_of(render(restyler, tmp_path / "tall.png", width=40)).shape[:2] == (80, 8)


def test_other_choices_are_other_pictures(
    restyler: Renderer, engine: Negative, photo: Path, style: StyleVector
) -> None:
    opposite = StyleVector.from_values(-style.values)
    render(restyler, photo, style)
    render(restyler, photo, opposite)
    render(restyler, photo, style, strength=0.3)
    render(restyler, photo, style, width=32)
    render(restyler, photo, style, image_format=ImageFormat.PNG)
    render(restyler, photo, style, credit=StyleCredit("linen", "CC0-1.0"))
    render(restyler, photo, style, mode=PaintMode.FULL)
    render(restyler, photo, style, mode=PaintMode.TONE)
    render(restyler, photo, style, keep_color=True)
    assert engine.painted == 9


def test_other_limits_are_other_pictures(
    build: Callable[..., Renderer], engine: Negative, photo: Path, style: StyleVector
) -> None:
    choices = ({}, {"fidelity": True}, {"fidelity": True, "min_structure": 0.9}, {"fidelity": True, "min_edges": 0.1})
    for settings in choices:
        assert render(build(engine, settings=settings), photo, style).status is RestyleStatus.COMPUTED
    assert engine.painted == 4


@pytest.mark.parametrize("image_format", list(ImageFormat))
def test_fidelity_lowers_the_strength_and_the_answer_says_so_from_the_cache_too(
    build: Callable[..., Renderer], studio: Path, style: StyleVector, image_format: ImageFormat
) -> None:
    restyler = build(Negative(), settings={"fidelity": True})
    first, second = (render(restyler, studio, style, strength=0.9, image_format=image_format) for _ in range(2))
    assert (first.status, second.status) == (RestyleStatus.COMPUTED, RestyleStatus.CACHED)
    assert first.report == second.report
    assert first.report is not None
    assert first.report.requested == Strength(0.9, 0.9)
    assert 0 < first.strength < 0.9
    assert Limit.MEAN_DIFFERENCE in first.limited_by
    mark = read_mark(second.data)
    assert mark is not None
    assert mark.strength.color == pytest.approx(first.strength, abs=1e-9)
    assert first.report.measures is not None
    assert first.report.measures.mean_difference <= restyler.settings.max_mean_difference


def test_where_the_limits_allow_nothing_the_original_is_served_and_not_rendered_again(
    build: Callable[..., Renderer], engine: Negative, studio: Path, style: StyleVector
) -> None:
    restyler = build(engine, settings={"fidelity": True, "max_mean_difference": 0})
    for _ in range(2):
        answer = render(restyler, studio, style)
        assert (answer.status, answer.settled, answer.engine) == (RestyleStatus.ORIGINAL, True, None)
        assert (answer.strength, answer.limited_by) == (0.0, (Limit.MEAN_DIFFERENCE,))
        assert answer.data == render(restyler, studio).data
    assert engine.painted == 1


def test_the_background_alone(restyler: Renderer, studio: Path, style: StyleVector) -> None:
    answer = render(restyler, studio, style, mode=PaintMode.BACKGROUND, width=120, image_format=ImageFormat.PNG)
    original = read_image(studio)
    np.testing.assert_array_equal(pixels_of(answer)[40:80, 40:80], original[40:80, 40:80])
    assert np.abs(pixels_of(answer)[:20] - original[:20]).min() > 0.3
    mark = read_mark(answer.data)
    assert mark is not None
    assert mark.mode is PaintMode.BACKGROUND


def test_a_photo_without_a_backdrop_is_served_as_it_is_where_only_that_may_be_painted(
    restyler: Renderer, photo: Path, style: StyleVector
) -> None:
    for _ in range(2):
        answer = render(restyler, photo, style, mode=PaintMode.BACKGROUND)
        assert (answer.status, answer.settled) == (RestyleStatus.ORIGINAL, True)
        assert answer.limited_by == (Limit.NO_BACKDROP,)
        assert read_mark(answer.data) is None


def test_mode_and_color_come_from_the_settings(
    build: Callable[..., Renderer], studio: Path, style: StyleVector
) -> None:
    restyler = build(Negative(), settings={"mode": "full", "keep_color": True})
    mark = read_mark(render(restyler, studio, style).data)
    assert mark is not None
    assert (mark.mode, mark.keep_color) == (PaintMode.FULL, True)
    mark = read_mark(render(restyler, studio, style, mode=PaintMode.TONE, keep_color=False).data)
    assert mark is not None
    assert (mark.mode, mark.keep_color, mark.strength) == (PaintMode.TONE, False, Strength(0.0, 0.6))


def test_a_changed_photo_or_engine_is_rendered_anew(
    build: Callable[..., Renderer], engine: Negative, photo: Path, style: StyleVector
) -> None:
    first = render(build(engine), photo, style)
    newer = render(build(Negative("negative-2")), photo, style)
    assert (newer.status, newer.engine) == (RestyleStatus.COMPUTED, "negative-2")
    Image.new("RGB", (100, 120), "red").save(photo)
    changed = render(build(engine), photo, style)
    assert changed.status is RestyleStatus.COMPUTED
    assert changed.data != first.data


def test_past_the_deadline_the_original_is_served_and_the_next_caller_gets_the_picture(
    restyler: Renderer, engine: Negative, photo: Path, style: StyleVector
) -> None:
    engine.gate.clear()
    started = time.monotonic()
    late = render(restyler, photo, style, deadline_ms=50)
    assert 0.05 <= time.monotonic() - started < 2
    assert (late.status, late.settled, late.strength) == (RestyleStatus.ORIGINAL, False, 0.0)
    assert late.data == render(restyler, photo).data
    engine.gate.set()
    assert eventually(restyler, photo, style).status is RestyleStatus.CACHED
    assert engine.painted == 1


def test_concurrent_callers_share_one_render(
    restyler: Renderer, engine: Negative, photo: Path, style: StyleVector
) -> None:
    engine.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(render, restyler, photo, style) for _ in range(8)]
        time.sleep(0.3)
        engine.gate.set()
        answers = [future.result() for future in futures]
    assert engine.painted == 1
    assert len({answer.data for answer in answers}) == 1
    assert all(answer.settled for answer in answers)


def test_too_many_waiting_renders_give_originals_at_once(
    build: Callable[..., Renderer], engine: Negative, photo: Path, style: StyleVector
) -> None:
    restyler = build(engine, max_waiting=2)
    engine.gate.clear()
    for strength in (0.1, 0.2, 0.3):
        render(restyler, photo, style, strength=strength, deadline_ms=0)
    started = time.monotonic()
    assert render(restyler, photo, style, strength=0.4).status is RestyleStatus.ORIGINAL
    assert time.monotonic() - started < 5
    engine.gate.set()
    restyler.close()
    assert engine.painted <= 3


def test_too_many_waiting_callers_get_originals_at_once(
    build: Callable[..., Renderer], engine: Negative, photo: Path, style: StyleVector
) -> None:
    restyler = build(engine, max_waiting=2)
    engine.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(render, restyler, photo, style) for _ in range(4)]
        while sum(future.done() for future in futures) < 2:
            time.sleep(0.01)
        engine.gate.set()
        statuses = sorted(future.result().status for future in futures)
    assert statuses == [RestyleStatus.COMPUTED] * 2 + [RestyleStatus.ORIGINAL] * 2


def test_a_torn_cache_file_is_rendered_again(
    restyler: Renderer, engine: Negative, cache: DiskCache, photo: Path, style: StyleVector
) -> None:
    first = render(restyler, photo, style)
    (entry,) = cache.folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:-5])
    again = render(restyler, photo, style)
    assert again.status is RestyleStatus.COMPUTED
    assert again.data == first.data
    assert engine.painted == 2


def test_an_engine_that_fails_gives_the_original_and_is_logged(
    build: Callable[..., Renderer], photo: Path, style: StyleVector, caplog: pytest.LogCaptureFixture
) -> None:
    answer = render(build(Broken()), photo, style)
    assert (answer.status, answer.settled) == (RestyleStatus.ORIGINAL, False)
    assert "out of order" in caplog.text


def test_an_engine_without_weights_is_reported_and_originals_are_served(
    cache: DiskCache, photo: Path, style: StyleVector, caplog: pytest.LogCaptureFixture
) -> None:
    def load(name: str) -> Stylizer:
        raise WeightsError("weights are missing")

    with Renderer(RestyleSettings(deadline_ms=LONG_MS), cache, load_engine=load) as restyler:
        assert restyler.fault() is None
        restyler.warm_up()
        assert [render(restyler, photo, style).status for _ in range(3)] == [RestyleStatus.ORIGINAL] * 3
        assert restyler.fault() == "weights are missing"
    assert caplog.text.count("weights are missing") == 1


def test_the_engine_is_loaded_once_and_before_the_first_caller(
    cache: DiskCache, engine: Negative, photo: Path, style: StyleVector
) -> None:
    loaded: list[str] = []

    def load(name: str) -> Stylizer:
        loaded.append(name)
        return engine

    with Renderer(RestyleSettings(deadline_ms=LONG_MS), cache, load_engine=load) as restyler:
        restyler.warm_up()
        render(restyler, photo, style)
        render(restyler, photo, style, strength=0.2)
    assert loaded == ["film"]


def test_what_is_wrong_with_a_request_is_said(
    restyler: Renderer, tmp_path: Path, style: StyleVector, photo: Path
) -> None:
    with pytest.raises(ImageError, match=r"absent\.jpg"):
        render(restyler, tmp_path / "absent.jpg", style)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:400])
    for strength in (0.0, 0.7):
        with pytest.raises(ImageError, match=r"broken\.jpg"):
            render(restyler, broken, style, strength=strength)
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(VectorError, match="strength"):
            render(restyler, photo, style, strength=strength)


def test_an_unknown_engine_is_named(cache: DiskCache, photo: Path, style: StyleVector) -> None:
    def load(name: str) -> Stylizer:
        raise UnknownEngineError(f"unknown engine {name!r}")

    with (
        Renderer(RestyleSettings(deadline_ms=LONG_MS), cache, load_engine=load) as restyler,
        pytest.raises(UnknownEngineError, match="'oil'"),
    ):
        render(restyler, photo, style, engine="oil")


def test_a_style_survives_its_text() -> None:
    for seed in range(50):
        style = StyleVector.from_values(np.random.default_rng(seed).standard_t(3, size=128))
        encoded = EncodedStyle.from_vector(style)
        assert len(encoded.text) == 171
        assert style.similarity(encoded.vector) > 0.999
        again = EncodedStyle.from_text(encoded.text)
        assert again.text == EncodedStyle.from_vector(encoded.vector).text == encoded.text
        assert again.vector.values.tobytes() == encoded.vector.values.tobytes()


@pytest.mark.parametrize(
    "text", ["", "abc", "A" * 171, "é" * 171, "A" * 170 + "!", "A" * 172 + "AAAA", "+/" * 85 + "A"]
)
def test_a_text_that_is_no_style_is_refused(text: str) -> None:
    with pytest.raises(VectorError):
        EncodedStyle.from_text(text)


def test_importing_the_restyler_does_not_load_torch() -> None:
    code = "import sys, recsys.restyling.renderer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_submitted_picture_is_the_one_that_render_gives(
    restyler: Renderer, engine: Negative, photo: Path, style: StyleVector
) -> None:
    submitted = submit(restyler, photo, style, strength=0.5).result(20)
    assert submitted.status is RestyleStatus.COMPUTED
    assert render(restyler, photo, style, strength=0.5).data == submitted.data
    assert submit(restyler, photo, style, strength=0.0).result(20).data == render(restyler, photo).data
    assert submit(restyler, photo, width=30).result(20).data == render(restyler, photo, width=30).data
    assert engine.painted == 1


def test_a_submitted_picture_comes_by_its_deadline_and_holds_no_thread(
    build: Callable[..., Renderer], engine: Negative, photo: Path, style: StyleVector
) -> None:
    restyler = build(engine, max_waiting=200)
    render(restyler, photo)
    engine.gate.clear()
    before, started = threading.active_count(), time.monotonic()
    waiting = [submit(restyler, photo, style, strength=0.2 + i / 1000, deadline_ms=300) for i in range(100)]
    assert time.monotonic() - started < 0.3
    assert threading.active_count() - before < 6
    answers = [future.result(5) for future in waiting]
    assert time.monotonic() - started >= 0.3
    assert {(answer.status, answer.settled) for answer in answers} == {(RestyleStatus.ORIGINAL, False)}
    assert len({answer.data for answer in answers}) == 1
    engine.gate.set()


def test_an_event_loop_can_await_pictures(restyler: Renderer, photo: Path, style: StyleVector) -> None:
    async def both() -> list[RenderResult]:
        futures = [submit(restyler, photo, style, strength=strength) for strength in (0.2, 0.4)]
        return await asyncio.gather(*map(asyncio.wrap_future, futures))

    assert [answer.status for answer in asyncio.run(both())] == [RestyleStatus.COMPUTED] * 2


def test_what_is_wrong_with_a_submitted_photo_comes_through_the_future(
    restyler: Renderer, tmp_path: Path, photo: Path, style: StyleVector
) -> None:
    with pytest.raises(ImageError, match=r"absent\.jpg"):
        submit(restyler, tmp_path / "absent.jpg", style).result(20)
    with pytest.raises(ImageError, match="cannot be read: embedded null byte"):
        submit(restyler, Path("a\0b.jpg"), style).result(20)
    with pytest.raises(VectorError, match="strength"):
        submit(restyler, photo, style, strength=2)


def test_the_end_gives_originals_to_all_who_wait(
    build: Callable[..., Renderer], engine: Negative, photo: Path, style: StyleVector
) -> None:
    restyler = build(engine)
    engine.gate.clear()
    waiting = [submit(restyler, photo, style, strength=0.2 + i / 10) for i in range(4)]
    assert engine.begun.wait(20)
    while restyler._pool._work_queue.qsize() < 3:
        time.sleep(0.005)
    closing = threading.Thread(target=restyler.close)
    closing.start()
    time.sleep(0.05)
    engine.gate.set()
    closing.join(20)
    statuses = [future.result(5).status for future in waiting]
    # Two threads read photos: any of the first two may be the one that is being painted.
    assert sorted(statuses) == [RestyleStatus.COMPUTED, *[RestyleStatus.ORIGINAL] * 3]


def test_of_a_photo_in_bytes_nothing_is_kept(
    restyler: Renderer, engine: Negative, cache: DiskCache, photo: Path, style: StyleVector
) -> None:
    data = photo.read_bytes()
    first, second = (render(restyler, data, style) for _ in range(2))
    assert (first.status, second.status) == (RestyleStatus.COMPUTED, RestyleStatus.COMPUTED)
    assert not list(cache.folder.iterdir())
    assert first.data == second.data == render(restyler, photo, style).data
    assert render(restyler, data).data == render(restyler, photo).data
    assert engine.painted == 3
    with pytest.raises(ImageError, match="the photo: not an image"):
        render(restyler, b"no picture", style)


def test_an_original_is_made_once_until_the_photo_changes(
    restyler: Renderer, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    real = originals.open_image
    monkeypatch.setattr(originals, "open_image", lambda path, **options: opened.append(path) or real(path, **options))
    first = render(restyler, photo)
    assert render(restyler, photo) == first
    assert len(opened) == 1
    render(restyler, photo, width=20)
    render(restyler, photo, image_format=ImageFormat.PNG)
    assert len(opened) == 3
    Image.new("RGB", (100, 120), "red").save(photo)
    assert render(restyler, photo).data != first.data


def test_originals_in_memory_are_bounded(tmp_path: Path) -> None:
    kept = originals.Originals(max_bytes=6_000)
    for index in range(20):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (64, 64), (index, 0, 0)).save(path)
        kept.get(path, 64, ImageFormat.JPEG)
        assert sum(len(one.data) for one in kept._cached.values()) == kept._bytes <= 6_000
    assert 2 <= len(kept._cached) < 20


def _render_elsewhere(folder: Path, photo: Path, marks: Path, barrier: Any) -> str:
    class Marking(Negative):
        def paint(self, *given: Any, **named: Any) -> list[Painting]:
            with (marks / "painted").open("a") as file:
                file.write("x")
            time.sleep(0.3)
            return super().paint(*given, **named)

    settings = RestyleSettings(engine="negative", size=64, deadline_ms=LONG_MS, fidelity=False)
    style = StyleVector.from_values(np.random.default_rng(0).normal(size=128))
    with Renderer(settings, DiskCache(folder, 10**7), load_engine=lambda _: Marking()) as restyler:
        barrier.wait(60)
        return render(restyler, photo, style).etag


def test_two_processes_render_one_picture_once(tmp_path: Path, photo: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(2, mp_context=context) as pool:
        barrier = manager.Barrier(2)
        futures = [pool.submit(_render_elsewhere, tmp_path / "shared", photo, tmp_path, barrier) for _ in range(2)]
        assert len({future.result(100) for future in futures}) == 1
    assert (tmp_path / "painted").read_text() == "x"


def test_a_recipe_prepares_the_photo_and_has_pictures_of_its_own(
    engine: Negative, cache: DiskCache, photo: Path, style: StyleVector
) -> None:
    settings = RestyleSettings(engine=engine.name, size=64, deadline_ms=LONG_MS, fidelity=False)
    shown, originals = [], []
    for recipe in (Recipe(), Recipe.from_texts(["gamma:gamma=2"])):
        with Renderer(settings, cache, load_engine=lambda _: engine, recipe=recipe) as restyler:
            shown.append(render(restyler, photo, style, strength=1.0))
            originals.append(render(restyler, photo).data)
    assert originals[0] == originals[1]
    plain, prepared = shown
    assert (plain.status, prepared.status) == (RestyleStatus.COMPUTED, RestyleStatus.COMPUTED)
    # The engine inverts: of a photo made darker it makes a lighter one.
    assert pixels_of(prepared).mean() > pixels_of(plain).mean() + 0.05
