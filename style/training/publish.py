"""Write a trained engine: its weights, its card and its record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor

from style.backbone import Vgg, load_backbone
from style.embedding import StyleEmbedder
from style.training.card import Card, load_examples, measure, write_card
from style.training.checkpoint import to_half
from style.training.recipe import Material, Recipe, RunSettings
from style.training.run_state import Progress, to_json, write_atomically
from style.training.splits import Splits
from style.transfer.engine_names import RECORD_FILE
from style.transfer.registry import load_stylizer
from style.transfer.trained import FORMAT, KINDS, WEIGHTS_FILE, EngineRecord

BASELINES = ("film", "color")
"""Engines that ship and that a card shows on the same pairs."""


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
    """Write the engine, with weights in half precision, and its card.

    The record is written last: after a kill there is either no engine or a complete one.

    Args:
        out: Folder of the engine; its last part is the name.
        recipe: Recipe of the run.
        material: Images and loss network of the run.
        settings: Settings of the run.
        best: File with the best weights.
        progress: Progress at the end of the run.
        license: License of the style references.
        judge: Network that measures results (default: vgg-slim).
    """
    tensors = to_half(load_file(best))
    references = tuple(path.name for path in material.styles.sha256)
    record = build_record(out.name, recipe.kind, recipe.shape(), tensors, references, license)
    judge = judge or load_backbone("vgg-slim")
    pairs = load_examples(material.products.test, material.styles.test, StyleEmbedder.load())
    engine = KINDS[record.kind](record, {key: value.float() for key, value in tensors.items()}, 1)
    results = {out.name: measure(engine, judge, pairs)}
    results |= {name: measure(load_stylizer(name, threads=1), judge, pairs) for name in BASELINES}
    card = Card(
        name=out.name,
        recipe=recipe.kind,
        license=license,
        references=references,
        images={"products": _count(material.products), "styles": _count(material.styles)},
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
        results=results,
    )
    write_card(out, card)
    return write_engine(out, record.model_copy(update={"results": asdict(results[out.name])}), tensors)


def build_record(
    name: str,
    kind: str,
    shape: Mapping[str, int],
    tensors: Mapping[str, Tensor],
    styles: Sequence[str],
    license: str,
) -> EngineRecord:
    """Return the record of an engine with these tensors, without results.

    Args:
        name: Name of the engine.
        kind: Key of `style.transfer.trained.KINDS`.
        shape: Sizes from which the network is built.
        tensors: Weights, as they are stored.
        styles: File names of the style references.
        license: License of the references.
    """
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
        results={},
    )


def write_engine(out: Path, record: EngineRecord, tensors: Mapping[str, Tensor]) -> EngineRecord:
    """Write the two files of an engine into a folder, the record last."""
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / WEIGHTS_FILE, save(dict(tensors)))
    write_atomically(out / RECORD_FILE, to_json(record.model_dump(mode="json")))
    return record


def _count(splits: Splits) -> Mapping[str, int | str]:
    return {
        "train": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
        "sha256": splits.digest(),
    }
