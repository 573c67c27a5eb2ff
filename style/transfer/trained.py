"""Engines trained by users: a folder with a record and weights, and how to load it.

`engine.json` is an `EngineRecord`; `engine.safetensors` holds the tensors, whose hash the record names. The folder has
the engine's name. `style.training.workflow` makes such folders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from style.backbone import WEIGHTS, read_weights
from style.credit import StyleCredit
from style.errors import WeightsError
from style.transfer.base import Stylizer
from style.transfer.engine_names import NAME, RECORD_FILE
from style.transfer.feedforward import FeedforwardNet, FeedforwardShape, FeedforwardStylizer
from style.transfer.film import FilmNet, FilmShape, FilmStylizer
from style.transfer.gan import GanStylizer, Generator, GeneratorShape

WEIGHTS_FILE = "engine.safetensors"
FORMAT: Final = 1
MOST_RECORD_BYTES = 1024 * 1024


class EngineRecord(BaseModel):
    """Content of `engine.json`.

    `kind`: a key of `KINDS`. `sha256`, `size`: of the weights file, `size` in bytes. `shape`: the sizes of the
    network's layers. `styles`: file names of the reference images, and `license` their license. `results`: metric
    values on the test split, see `style.training.card`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1]
    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    kind: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(gt=0)]
    shape: Mapping[str, Annotated[int, Field(ge=1, le=1024)]]
    styles: tuple[str, ...]
    license: Annotated[str, Field(max_length=500)]
    results: Annotated[
        Mapping[str, Annotated[float, Field(allow_inf_nan=False)]],
        Field(validation_alias=AliasChoices("results", "figures")),
    ]

    @property
    def version(self) -> str:
        """Name and hash of the weights, as in an engine's version."""
        return f"{self.name}-{self.sha256[:8]}"

    @property
    def credit(self) -> StyleCredit:
        """Credit in the mark of images in this engine's own style."""
        return StyleCredit(self.name, self.license)


Build = Callable[[EngineRecord, dict[str, Tensor], int | None], Stylizer]


def _build_feedforward(record: EngineRecord, tensors: dict[str, Tensor], threads: int | None) -> Stylizer:
    network = FeedforwardNet(FeedforwardShape(**record.shape))
    network.load_state_dict(tensors)
    return FeedforwardStylizer(network, record.version, record.sha256, threads, record.credit)


def _build_film(record: EngineRecord, tensors: dict[str, Tensor], threads: int | None) -> Stylizer:
    network = FilmNet(FilmShape(**record.shape))
    network.load_state_dict(tensors)
    engine = FilmStylizer(network, record.version, threads)
    engine.model_sha256 = record.sha256
    return engine


def _build_gan(record: EngineRecord, tensors: dict[str, Tensor], threads: int | None) -> Stylizer:
    network = Generator(GeneratorShape(**record.shape))
    network.load_state_dict(tensors)
    return GanStylizer(network, record.version, record.sha256, threads, record.credit)


KINDS: Mapping[str, Build] = {
    FeedforwardStylizer.name: _build_feedforward,
    FilmStylizer.name: _build_film,
    GanStylizer.name: _build_gan,
}
"""Functions that build an engine of each kind from its record, its tensors (float32) and a number of threads."""


def load_trained(folder: Path, threads: int | None = None) -> Stylizer:
    """Load the engine in a folder, to paint with `threads` threads (default: as many as torch has).

    Raises:
        WeightsError: If anything is missing, changed or not of this format; names the file and the field.
    """
    record = read_record(folder)
    file = folder / WEIGHTS_FILE
    tensors = read_weights(file, record.sha256)
    try:
        return KINDS[record.kind](record, tensors, threads)
    except (RuntimeError, TypeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise WeightsError(
            f"{file}: not the weights of a {record.kind} of shape {dict(record.shape)}: {reason}"
        ) from None


def read_record(folder: Path) -> EngineRecord:
    """Read and check a folder's `engine.json`. Raises WeightsError that names the file and the field."""
    file = folder / RECORD_FILE
    try:
        if file.stat().st_size > MOST_RECORD_BYTES:
            raise WeightsError(f"{file}: larger than {MOST_RECORD_BYTES} bytes, so it is not the record of an engine")
        record = EngineRecord.model_validate_json(file.read_bytes())
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read: {error.strerror}; `recsys train-style` makes engines") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "whole file"
        raise WeightsError(f"{file}, field {where!r}: {first['msg']}; train the engine again") from None
    if record.kind not in KINDS:
        raise WeightsError(f"{file}, field 'kind': unknown kind {record.kind!r}; known ones: {', '.join(KINDS)}")
    if record.name != folder.name:
        raise WeightsError(
            f"{file}, field 'name': {record.name!r} differs from the folder's name {folder.name!r}; make them equal"
        )
    return record


def load_shipped(name: str, threads: int | None = None) -> Stylizer:
    """Load a trained engine of the package by name."""
    return load_trained(Path(str(WEIGHTS / name)), threads)
