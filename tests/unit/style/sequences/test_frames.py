"""Frames come in from folders, animations and videos, and go out marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from style.errors import ImageError
from style.images import Pixels
from style.modes import Strength
from style.provenance.mark import Mark, read_mark
from style.sequences.frames import Frames, read_frames, write_frames

MARK = Mark("film", "film-1", Strength(0.5, 0.5))


def frames(count: int = 3) -> list[Pixels]:
    return [np.full((24, 32, 3), 0.2 + 0.25 * index, dtype=np.float32) for index in range(count)]


def levels(found: Frames) -> list[float]:
    return [round(float(frame.mean()), 2) for frame in found.frames]


@pytest.mark.parametrize("name", ["spin.webp", "spin.png", "spin"])
def test_written_frames_are_marked_and_come_back(name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    written = write_frames(frames(), 80, out, MARK)
    assert all(read_mark(path.read_bytes()) == MARK for path in written)
    found = read_frames(out)
    assert levels(found) == pytest.approx([0.2, 0.45, 0.7], abs=0.02)
    assert found.milliseconds == (80 if out.suffix else 100)


def test_an_animated_gif_is_read_on_white(tmp_path: Path) -> None:
    pictures = [Image.new("RGBA", (24, 24), color) for color in ((255, 0, 0, 255), (0, 0, 0, 255))]
    for picture in pictures:
        picture.paste((0, 0, 0, 0), (0, 0, 12, 24))
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=70, disposal=2)
    found = read_frames(tmp_path / "a.gif")
    assert levels(found) == [0.67, 0.5]
    assert found.milliseconds == 70


def test_a_video_is_read(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 20, (64, 48))
    for level in (50, 150, 250):
        writer.write(np.full((48, 64, 3), (level, 0, 0), dtype=np.uint8))  # blue comes first
    writer.release()
    found = read_frames(tmp_path / "a.avi", short_side=24)
    assert found.milliseconds == 50
    assert [frame.shape for frame in found.frames] == [(24, 32, 3)] * 3
    assert [frame[12, 16, 2] for frame in found.frames] == pytest.approx([0.2, 0.59, 0.98], abs=0.05)


def test_what_is_no_sequence_is_refused_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no")
    (tmp_path / "a.gif").write_text("no")
    with pytest.raises(ImageError, match="a folder of images, an animated"):
        read_frames(tmp_path / "a.txt")
    with pytest.raises(ImageError, match="not a whole animation"):
        read_frames(tmp_path / "a.gif")
    with pytest.raises(ImageError, match="no such file"):
        read_frames(tmp_path / "b.webp")


def test_a_gif_has_no_place_for_the_mark(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"use \.webp or \.png"):
        write_frames(frames(), 100, tmp_path / "a.gif", MARK)
    with pytest.raises(ImageError, match="2 sizes"):
        write_frames([frames()[0], frames()[0][:16]], 100, tmp_path / "a.webp", MARK)
    assert list(tmp_path.iterdir()) == []
