"""Fidelity: what it measures, what it lets pass, and how far it lowers the strength of what it does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from style.color_space import luma
from style.errors import VectorError
from style.fidelity import (
    DEFAULT_LIMITS,
    MEASURING_SIDE,
    STEPS,
    Composite,
    FidelityLimits,
    FidelityMeter,
    Limit,
    Measures,
    limit_strength,
)
from style.images import Pixels
from style.mask import Mask
from style.metrics import ssim
from style.modes import Strength
from style.transfer.base import Painting

FULL = Strength(1.0, 1.0)
NO_LIMITS = FidelityLimits(mean_difference=1e9, high_difference=1e9, structure=-2.0, edges=-1.0)


def product(height: int = 96, width: int = 96) -> tuple[Pixels, Mask]:
    """Draw a patterned thing with strong edges on a white sheet, and its mask."""
    y, x = np.mgrid[0:height, 0:width]
    pattern = ((x // 8 + y // 8) % 2)[:, :, None] * np.array([0.5, 0.35, 0.2]) + np.array([0.25, 0.3, 0.35])
    mask = ((abs(y - height / 2) < height * 0.35) & (abs(x - width / 2) < width * 0.35)).astype(np.float32)
    photo = np.where(mask[:, :, None] > 0, pattern, 0.97).astype(np.float32)
    return photo, ndimage.gaussian_filter(mask, 1.0)


def toward(target: Pixels, *, mask: Mask | None = None, photo: Pixels | None = None) -> Composite:
    """Return a painting that gives `target` at full strength; its color part is zero."""
    shot, own = product()
    photo = shot if photo is None else photo
    where = own if mask is None else mask
    change = (target - photo).astype(np.float32)
    return Composite(photo, Painting(change, np.zeros_like(change)), where, where)


def brighter(by: float = 0.04) -> Composite:
    return toward((product()[0] + by).astype(np.float32))


SILHOUETTE = np.full((96, 96, 3), 0.05, dtype=np.float32)


class TestMeasures:
    def test_nothing_painted_is_nothing_changed(self) -> None:
        assert FidelityMeter(toward(SILHOUETTE)).measure(Strength(0.0, 0.0)) == Measures(0, 0, pytest.approx(1.0), 1.0)

    def test_only_the_product_counts(self) -> None:
        photo, mask = product()
        painted = np.where(mask[:, :, None] > 0.5, photo, 0.0)
        composite = toward(painted.astype(np.float32))
        outside = Composite(photo, composite.painting, mask, np.ones_like(mask))
        # The structure's windows reach over the rim, and no further.
        measured = FidelityMeter(outside).measure(FULL)
        assert (measured.mean_difference, measured.high_difference, measured.edges) == (0, 0, 1)
        assert measured.structure > 0.9

    def test_the_95th_percentile_sees_a_tenth_of_the_product_where_the_mean_does_not(self) -> None:
        photo, _ = product()
        stain = photo.copy()
        stain[20:70, 20:29] = (1.0, 0.0, 0.0)
        measured = FidelityMeter(toward(stain)).measure(FULL)
        assert measured.high_difference > 25
        assert measured.mean_difference < 10

    def test_structure_is_ssim(self) -> None:
        random = np.random.default_rng(0)
        photo, painted = (
            ndimage.gaussian_filter(random.uniform(0, 1, (60, 70, 3)), (2, 2, 0)).astype(np.float32) for _ in range(2)
        )
        inner = np.zeros((60, 70), dtype=np.float32)
        inner[2:-2, 2:-2] = 1.0
        # The rim of three pixels is not measured, so that this leaves what windows of 11 pixels reach whole.
        everywhere = np.ones_like(inner)
        change = painted - photo
        measured = FidelityMeter(Composite(photo, Painting(change, 0 * change), inner, everywhere)).measure(FULL)
        assert measured.structure == pytest.approx(ssim(luma(photo), luma(painted)), abs=2e-3)

    def test_edges_that_are_painted_over_are_missed(self) -> None:
        photo, _ = product()
        half = photo.copy()
        half[:48] = half[:48].mean(axis=(0, 1))
        assert FidelityMeter(toward(half)).measure(FULL).edges == pytest.approx(0.5, abs=0.08)
        assert FidelityMeter(toward(SILHOUETTE)).measure(FULL).edges < 0.05
        assert FidelityMeter(brighter()).measure(FULL).edges == 1

    def test_a_product_without_edges_has_none_to_lose(self) -> None:
        flat = np.full((40, 40, 3), 0.5, dtype=np.float32)
        composite = toward(0.8 * flat, photo=flat, mask=np.ones((40, 40), dtype=np.float32))
        assert FidelityMeter(composite).measure(FULL).edges == 1.0

    @pytest.mark.parametrize("shape", [(8, 8), (9, 1000), (333, 641)])
    def test_any_size_is_measured_at_a_small_one(self, shape: tuple[int, int]) -> None:
        photo = np.random.default_rng(0).uniform(0, 1, (*shape, 3)).astype(np.float32)
        ones = np.ones(shape, dtype=np.float32)
        composite = Composite(photo, Painting(-photo, 0 * photo), ones, ones)
        assert max(composite.downscale().product.shape) <= MEASURING_SIDE
        np.testing.assert_allclose(composite.downscale().photo.mean(), photo.mean(), atol=0.01)
        assert FidelityMeter(composite).measure(FULL).mean_difference > 10


class TestFaithful:
    def test_what_keeps_the_limits_is_left_alone(self) -> None:
        report = limit_strength(brighter(), Strength(0.7, 0.3))
        assert (report.used, report.limited_by) == (Strength(0.7, 0.3), ())
        assert report.measures == FidelityMeter(brighter()).measure(Strength(0.7, 0.3))

    @pytest.mark.parametrize(
        ("limits", "limit"),
        [
            (FidelityLimits(5, 1e9, -2, -1), Limit.MEAN_DIFFERENCE),
            (FidelityLimits(1e9, 5, -2, -1), Limit.HIGH_DIFFERENCE),
            (FidelityLimits(1e9, 1e9, 0.95, -1), Limit.STRUCTURE),
            (FidelityLimits(1e9, 1e9, -2, 0.9), Limit.EDGES),
        ],
    )
    def test_it_stops_within_a_step_of_the_limit_and_names_it(self, limits: FidelityLimits, limit: Limit) -> None:
        composite = toward(SILHOUETTE)
        report = limit_strength(composite, FULL, limits)
        assert report.limited_by == (limit,)
        assert 0 < report.used.largest < 1
        ruler = FidelityMeter(composite)
        assert limits.violations(ruler.measure(report.used)) == ()
        above = report.used.largest + 1.001 / STEPS
        assert limits.violations(ruler.measure(Strength(above, above))) == (limit,)

    def test_a_silhouette_and_a_face_painted_over_are_held_back_by_default(self) -> None:
        photo, _ = product()
        face = photo.copy()
        face[22:42, 30:66] = (0.9, 0.1, 0.1)
        for painted in (SILHOUETTE, face):
            report = limit_strength(toward(painted), FULL)
            assert 0 < report.used.largest < 0.9
            assert report.limited_by

    def test_asking_for_more_never_gives_less(self) -> None:
        random = np.random.default_rng(3)
        for _ in range(4):
            composite = toward(ndimage.gaussian_filter(random.uniform(-0.3, 1.3, (96, 96, 3)), (3, 3, 0)))
            asked = np.sort(random.uniform(0.05, 1, 12))
            used = [limit_strength(composite, Strength(a, a)).used.largest for a in asked.round(3)]
            assert used == sorted(used)
            assert used[0] == asked.round(3)[0] or used[0] > 0

    def test_tighter_limits_never_give_more(self) -> None:
        used = [
            limit_strength(toward(SILHOUETTE), FULL, FidelityLimits(mean_difference=d)).used.largest
            for d in (20, 10, 5, 1)
        ]
        assert used == sorted(used, reverse=True)
        assert len(set(used)) == 4

    def test_both_parts_are_lowered_in_proportion(self) -> None:
        photo, mask = product()
        dark = SILHOUETTE - photo
        report = limit_strength(Composite(photo, Painting(dark / 2, dark / 2), mask, mask), Strength(0.5, 1.0))
        assert report.used.texture == pytest.approx(report.used.color / 2)
        assert 0 < report.used.color < 1

    def test_no_tolerance_is_no_painting(self) -> None:
        report = limit_strength(toward(SILHOUETTE), FULL, FidelityLimits(mean_difference=0))
        assert report.used == Strength(0.0, 0.0)
        assert Limit.MEAN_DIFFERENCE in report.limited_by

    def test_switched_off_nothing_is_measured_or_lowered(self) -> None:
        report = limit_strength(toward(SILHOUETTE), FULL, None)
        assert (report.used, report.measures, report.limited_by) == (FULL, None, ())

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_masks_of_nothing_and_of_everything(self, value: float) -> None:
        photo, _ = product()
        mask = np.full(photo.shape[:2], value, dtype=np.float32)
        report = limit_strength(toward(SILHOUETTE, mask=mask), FULL)
        assert (report.used == FULL) == (value == 0)

    def test_the_same_question_has_the_same_answer(self) -> None:
        assert limit_strength(toward(SILHOUETTE), FULL) == limit_strength(toward(SILHOUETTE), FULL)

    def test_limits_that_the_photo_itself_breaks_are_refused(self) -> None:
        for wrong in ({"mean_difference": -1}, {"high_difference": float("nan")}, {"structure": 1.1}, {"edges": 2}):
            with pytest.raises(VectorError, match="limits on color differences must be at least 0"):
                FidelityLimits(**wrong)

    def test_the_defaults_are_limits(self) -> None:
        assert DEFAULT_LIMITS.violations(Measures(26, 36, 0.4, 0.7)) == (
            Limit.MEAN_DIFFERENCE,
            Limit.HIGH_DIFFERENCE,
            Limit.STRUCTURE,
            Limit.EDGES,
        )
        assert NO_LIMITS.violations(Measures(100, 100, -1, 0)) == ()
