"""On frames of known motion: flow finds it, and restyled sequences flicker far less than frames one by one."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recsys.dataset.sample import sample_folder
from style.backbone import load_backbone
from style.embedding import StyleEmbedder
from style.errors import ImageError
from style.fidelity import FidelityLimits, Limit
from style.images import Pixels, read_image
from style.metrics import transfer_score
from style.modes import PaintMode, Strength
from style.restyle import RestyleOptions, restyle_photo
from style.sequences.flicker import flicker
from style.sequences.flow import Flow, flow_confidence, optical_flow, points_inside, warp
from style.sequences.restyle import restyle_sequence
from style.transfer.base import Stylizer
from style.transfer.registry import load_stylizer
from style.vector import StyleVector

SIDE, FRAMES, NOISE = 128, 6, 0.015
MOTIONS = {  # a frame's number to a matrix and a shift, from the frame's pixels to the photo's
    "pan": lambda t: (1.6 * np.eye(2), np.array([4.0 * t - 10, 2.0 * t - 5])),
    "zoom": lambda t: ((1.7 - 0.05 * t) * np.eye(2), np.zeros(2)),
    "turn": lambda t: (1.6 * np.array([[np.cos(a := 0.03 * t), -np.sin(a)], [np.sin(a), np.cos(a)]]), np.zeros(2)),
}
FULL = RestyleOptions(Strength(1.0, 1.0), PaintMode.FULL, limits=None)


@cache
def moving(motion: str) -> tuple[list[Pixels], list[Flow]]:
    """Frames of a product of the sample, with noise, and the flow from each but the first to the one before."""
    photo = read_image(sorted((sample_folder() / "images").glob("*.jpg"))[3], short_side=256)
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    at = np.stack([x, y], axis=-1) - (SIDE - 1) / 2
    frames: list[Pixels] = []
    flows: list[Flow] = []
    middle = np.array([photo.shape[1] - 1, photo.shape[0] - 1])
    for number in range(FRAMES):
        matrix, shift = MOTIONS[motion](number)
        places = at @ matrix.T + shift
        grid = torch.from_numpy((2 * places / middle).astype(np.float32))[None]
        source = torch.from_numpy(photo).permute(2, 0, 1)[None]
        seen = F.grid_sample(source, grid, mode="bicubic", padding_mode="border", align_corners=True)
        noisy = seen[0].permute(1, 2, 0).numpy() + random.normal(0, NOISE, (SIDE, SIDE, 3))
        frames.append(np.clip(noisy, 0, 1).astype(np.float32))
        if number:
            old, moved = MOTIONS[motion](number - 1)
            flows.append(((places - moved) @ np.linalg.inv(old).T - at).astype(np.float32))
    return frames, flows


@pytest.fixture(scope="module")
def film() -> Stylizer:
    return load_stylizer("film")


@pytest.fixture(scope="module")
def asked() -> tuple[Pixels, StyleVector]:
    picture = read_image(sorted((sample_folder() / "styles").glob("*.*"))[2], short_side=SIDE)
    return picture, StyleEmbedder.load().embed(picture)


@pytest.mark.parametrize("motion", MOTIONS)
def test_flow_finds_the_motion_where_it_can_be_trusted(motion: str) -> None:
    frames, flows = moving(motion)
    there, back = optical_flow(frames[2], frames[1]), optical_flow(frames[1], frames[2])
    counted = (flow_confidence(frames[2], frames[1], there, back) > 0.5) & points_inside(flows[1])
    error = np.linalg.norm(there - flows[1], axis=2)[counted]
    still = np.linalg.norm(flows[1], axis=2)[counted]
    assert counted.mean() > 0.5
    assert error.mean() < 0.4 * still.mean()


def test_what_was_hidden_is_not_trusted() -> None:
    random = np.random.default_rng(0)
    last = np.repeat(np.repeat(random.random((16, 16, 3), dtype=np.float32), 4, axis=0), 4, axis=1)
    now = last.copy()
    now[20:44, 20:44] = (0.0, 1.0, 0.0)
    weight = flow_confidence(now, last, optical_flow(now, last), optical_flow(last, now))
    assert weight[24:40, 24:40].mean() < 0.05
    assert weight[:, :10].mean() > 0.6


@pytest.mark.parametrize(
    "motion", [pytest.param("pan"), *(pytest.param(m, marks=pytest.mark.slow) for m in ("zoom", "turn"))]
)
def test_flicker_falls_by_more_than_half_and_style_stays(
    motion: str, film: Stylizer, asked: tuple[Pixels, StyleVector]
) -> None:
    frames, flows = moving(motion)
    picture, z = asked
    alone = [restyle_photo(film, frame, z, FULL).pixels for frame in frames]
    calm = restyle_sequence(film, frames, z, FULL).frames
    judge = load_backbone("vgg-slim")
    before, after = (flicker(frames, each, flows) for each in (alone, calm))
    gains = [
        np.median(
            [transfer_score(judge, *(frame, picture, own)).style_gain for frame, own in zip(frames, each, strict=True)]
        )
        for each in (alone, calm)
    ]
    assert before > 1e-3
    assert after < 0.5 * before
    assert gains[1] > 0.9 * gains[0]
    assert flicker(frames, calm) < 0.5 * flicker(frames, alone)  # by flow that is found, too


def test_without_memory_frames_are_as_painted_one_by_one_but_for_their_colors(
    film: Stylizer, asked: tuple[Pixels, StyleVector]
) -> None:
    frames = moving("pan")[0][:2]
    apart = restyle_sequence(film, frames, asked[1], FULL, memory=0.0).frames
    for frame, own in zip(frames, apart, strict=True):
        assert np.abs(own - restyle_photo(film, frame, asked[1], FULL).pixels).mean() < 0.02


def test_strength_0_is_the_frames_bit_for_bit(film: Stylizer, asked: tuple[Pixels, StyleVector]) -> None:
    frames = moving("pan")[0][:3]
    found = restyle_sequence(film, frames, asked[1], RestyleOptions(Strength(0.0, 0.0))).frames
    assert all(np.array_equal(own, frame) for own, frame in zip(found, frames, strict=True))


def test_one_strength_holds_for_all_frames_and_sizes_may_differ(asked: tuple[Pixels, StyleVector]) -> None:
    frames = [frame[: SIDE - 8 * index] for index, frame in enumerate(moving("pan")[0][:3])]
    options = RestyleOptions(Strength(1.0, 1.0), limits=FidelityLimits(mean_difference=10))
    done = restyle_sequence(load_stylizer("color"), frames, asked[1], options)
    assert [frame.shape for frame in done.frames] == [frame.shape for frame in frames]
    assert done.report.used.largest < 1
    assert done.report.limited_by == (Limit.MEAN_DIFFERENCE,)


def test_what_cannot_be_a_sequence_is_refused(film: Stylizer, asked: tuple[Pixels, StyleVector]) -> None:
    with pytest.raises(ImageError, match="at least one frame"):
        restyle_sequence(film, [], asked[1], FULL)
    with pytest.raises(ImageError, match=r"must lie in \[0, 1\), got 1"):
        restyle_sequence(film, moving("pan")[0][:1], asked[1], FULL, memory=1.0)


def test_warp_by_no_flow_is_nothing_and_by_whole_pixels_a_shift() -> None:
    values = np.random.default_rng(0).random((8, 9, 2), dtype=np.float32)
    still = np.zeros((8, 9, 2), dtype=np.float32)
    assert np.allclose(warp(values, still), values, atol=1e-5)
    right = still + np.array([1, 0], dtype=np.float32)
    assert np.allclose(warp(values, right)[:, :-1], values[:, 1:], atol=1e-5)


def test_still_frames_without_noise_do_not_flicker() -> None:
    frame = moving("pan")[0][0]
    painted = np.clip(frame + 0.1, 0, 1).astype(np.float32)
    assert all(flicker(list(pair), [painted, painted]) <= 1e-6 for pair in pairwise([frame, frame, frame]))
