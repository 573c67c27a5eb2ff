"""The end of a training run: weights, card and record are written, and the engine is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor

from style.backbone import Vgg, load_backbone
from style.embedding import StyleEmbedder
from style.training.card import Card, examples, measure, write_card
from style.training.recipe import Material, Recipe, RunSettings
from style.training.run_state import Progress, as_json, write_whole
from style.training.splits import Parts
from style.transfer.engine_names import RECORD_FILE
from style.transfer.registry import load_stylizer
from style.transfer.trained import FORMAT, KINDS, WEIGHTS_FILE, EngineRecord

COMPARED = ("film", "color")
"""Engines that ship and that a card shows beside its own, on the same pairs."""


def publish(
    out: Path,
    recipe: Recipe,
    material: Material,
    settings: RunSettings,
    best: Path,
    progress: Progress,
    license: str,
    judge: Vgg | None,
) -> EngineRecord:
    """Write the engine that the weights in the file `best` make, in half precision, and its card.

    The record comes last, so that a kill leaves no engine or a whole one.
    """
    tensors = halved(load_file(best))
    references = tuple(path.name for path in material.styles.sha256)
    record = record_of(out.name, recipe.kind, recipe.shape(), tensors, references, license)
    judge = judge or load_backbone("vgg-slim")
    pairs = examples(material.products.test, material.styles.test, StyleEmbedder.load())
    engine = KINDS[record.kind](record, {key: value.float() for key, value in tensors.items()}, 1)
    figures = {out.name: measure(engine, judge, pairs)}
    figures |= {name: measure(load_stylizer(name, threads=1), judge, pairs) for name in COMPARED}
    card = Card(
        name=out.name,
        recipe=recipe.kind,
        license=license,
        references=references,
        pictures={"products": _counts(material.products), "styles": _counts(material.styles)},
        settings={**asdict(settings), **recipe.settings(), **recipe.shape()},
        loss_network=material.loss_network.record.name,
        judge=judge.record.name,
        independent=judge.record.name != material.loss_network.record.name,
        parameters=sum(value.numel() for value in tensors.values()),
        size=record.size,
        steps=int(progress.done),
        best_step=int(progress.best_step),
        seconds=round(float(progress.seconds), 1),
        pairs=len(pairs),
        figures=figures,
    )
    write_card(out, card)
    return write_engine(out, record.model_copy(update={"figures": asdict(figures[out.name])}), tensors)


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in half precision, where they are not counts."""
    return {key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in tensors.items()}


def record_of(
    name: str,
    kind: str,
    shape: Mapping[str, int],
    tensors: Mapping[str, Tensor],
    styles: Sequence[str],
    license: str,
) -> EngineRecord:
    """The record of an engine made of these tensors, without figures."""
    weights = save(dict(tensors))
    return EngineRecord(
        format=FORMAT,
        name=name,
        kind=kind,
        sha256=hashlib.sha256(weights).hexdigest(),
        size=len(weights),
        shape=shape,
        styles=tuple(styles),
        license=license,
        figures={},
    )


def write_engine(out: Path, record: EngineRecord, tensors: Mapping[str, Tensor]) -> EngineRecord:
    """Write the two files that are an engine into a folder, the record last."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / WEIGHTS_FILE, save(dict(tensors)))
    write_whole(out / RECORD_FILE, as_json(record.model_dump(mode="json")))
    return record


def _counts(parts: Parts) -> Mapping[str, int | str]:
    return {
        "train": len(parts.train),
        "validation": len(parts.validation),
        "test": len(parts.test),
        "sha256": parts.digest(),
    }
