"""Restyling of a sequence from files to files; the work of `recsys restyle-sequence`."""

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
    """Sequence to restyle, all options, and the output; `measure` also measures flicker against separate frames."""

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
    """Restyle toward the image `like`, or toward the reference `style` of `library`; yield progress lines for users.

    Args:
        task: Sequence and options.
        like: Image whose style to follow.
        library: Folder of style references.
        style: Id of a reference of `library`.

    Raises:
        LibraryError: If the reference is unknown.
        RightsError: If its license forbids restyling. Errors of `read_frames`, `restyle_sequence` and `write_frames`
            pass through.
    """
    embedder = StyleEmbedder.load()
    if like is not None:
        image, credit = like, None
    else:
        references = {one.style_id: one for one in read_library(library)} if library is not None else {}
        if style not in references:
            known = ", ".join(references) or "none"
            raise LibraryError(f"{library}: no style reference {style!r}; known ones: {known}")
        reference = references[style]
        require(reference, Use.ADAPT)
        image, credit = reference.image, StyleCredit(reference.style_id, reference.license)
    pixels = read_image(image, short_side=STYLE_IMAGE_SIDE)
    z = embedder.embed(pixels)
    source = read_frames(task.frames, short_side=task.size)
    engine = load_stylizer(task.engine, styles=lambda: StyleImages([StyleImage("target", z, pixels)]))
    limits = DEFAULT_LIMITS if task.fidelity else None
    options = RestyleOptions(Strength.from_number(task.strength, task.mode), task.mode, task.keep_color, limits)
    start = time.perf_counter()
    result = restyle_sequence(engine, source.frames, z, options, memory=task.memory)
    seconds = time.perf_counter() - start
    used = result.report.used
    mark = Mark(engine.name, engine.version, used, task.mode, task.keep_color, engine.model_sha256, credit)
    written = write_frames(result.frames, source.milliseconds, task.out, mark)
    target = str(written[0]) if len(written) == 1 else f"{len(written)} frames in {task.out}"
    yield f"wrote {target}"
    limited = "".join(f", limited by {limit}" for limit in result.report.limited_by)
    yield (
        f"{len(source.frames)} frames, strength {used.largest:.3g}{limited}, "
        f"{seconds / len(source.frames):.2f} s per frame"
    )
    if task.measure and len({frame.shape for frame in source.frames}) == 1 and len(source.frames) > 1:
        separate = RestyleOptions(used, task.mode, task.keep_color, None)
        one_by_one = [restyle_photo(engine, frame, z, separate).pixels for frame in source.frames]
        pair = [flicker(source.frames, restyled) for restyled in (one_by_one, result.frames)]
        yield f"flicker {pair[0]:.6f} one by one, {pair[1]:.6f} as written (squared error beyond that of the frames)"
