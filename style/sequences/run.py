"""A sequence from files to files, as `recsys restyle-sequence` does it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from style.credit import StyleCredit
from style.embedding import StyleEmbedder
from style.errors import LibraryError
from style.fidelity import DEFAULT_LIMITS
from style.images import read_image
from style.library import read_library, require
from style.modes import PaintMode, Strength
from style.provenance.mark import Mark
from style.restyle import RestyleOptions, restyle_photo
from style.rights import Use
from style.sequences.flicker import flicker
from style.sequences.frames import read_frames, write_frames
from style.sequences.restyle import restyle_sequence
from style.transfer.registry import load_stylizer
from style.transfer.style_images import STYLE_IMAGE_SIDE, StyleImage, StyleImages


@dataclass(frozen=True, slots=True)
class SequenceTask:
    """What is to be restyled how, and where it goes; `measure` also measures flicker, against frames one by one."""

    frames: Path
    out: Path
    engine: str
    strength: float
    mode: PaintMode
    keep_color: bool
    fidelity: bool
    memory: float
    size: int
    measure: bool


def run_sequence(task: SequenceTask, like: Path | None, library: Path | None, style: str | None) -> Iterator[str]:
    """Restyle toward the picture `like`, or toward the reference `style` of `library`; lines for people as it goes.

    Raises LibraryError for an unknown reference, RightsError for one whose license forbids it, and like `read_frames`,
    `restyle_sequence` and `write_frames`.
    """
    embedder = StyleEmbedder.load()
    picture, credit = _target(like, library, style)
    pixels = read_image(picture, short_side=STYLE_IMAGE_SIDE)
    z = embedder.embed(pixels)
    given = read_frames(task.frames, short_side=task.size)
    engine = load_stylizer(task.engine, styles=lambda: StyleImages([StyleImage("asked", z, pixels)]))
    limits = DEFAULT_LIMITS if task.fidelity else None
    wish = RestyleOptions(Strength.from_number(task.strength, task.mode), task.mode, task.keep_color, limits)
    start = time.perf_counter()
    done = restyle_sequence(engine, given.frames, z, wish, memory=task.memory)
    seconds = time.perf_counter() - start
    mark = Mark(engine.name, engine.version, done.report.used, task.mode, task.keep_color, engine.model_sha256, credit)
    written = write_frames(done.frames, given.milliseconds, task.out, mark)
    named = str(written[0]) if len(written) == 1 else f"{len(written)} frames in {task.out}"
    yield f"wrote {named}"
    limited = "".join(f", limited by {limit}" for limit in done.report.limited_by)
    yield (
        f"{len(given.frames)} frames, strength {done.report.used.largest:.3g}{limited}, "
        f"{seconds / len(given.frames):.2f} s a frame"
    )
    if task.measure and len({frame.shape for frame in given.frames}) == 1 and len(given.frames) > 1:
        alone = RestyleOptions(done.report.used, task.mode, task.keep_color, None)
        one_by_one = [restyle_photo(engine, frame, z, alone).pixels for frame in given.frames]
        pair = [flicker(given.frames, restyled) for restyled in (one_by_one, done.frames)]
        yield f"flicker {pair[0]:.6f} one by one, {pair[1]:.6f} as written (squared error beyond that of the frames)"


def _target(like: Path | None, library: Path | None, style: str | None) -> tuple[Path, StyleCredit | None]:
    if like is not None:
        return like, None
    references = {one.style_id: one for one in read_library(library)} if library is not None else {}
    if style not in references:
        raise LibraryError(f"{library}: no style reference {style!r}; known ones: {', '.join(references) or 'none'}")
    found = references[style]
    require(found, Use.ADAPT)
    return found.image, StyleCredit(found.style_id, found.license)
