"""Folders of trained engines load, or give a clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from style.errors import UnknownEngineError, WeightsError
from style.transfer.base import Follows
from style.transfer.engine_names import trained_names
from style.transfer.registry import load_stylizer
from style.transfer.trained import load_trained, read_record
from style.vector import StyleVector
from tests.trained_engines import write_feedforward, write_film

IMAGE = np.random.default_rng(0).random((33, 47, 3), dtype=np.float32)
ONE, OTHER = (StyleVector.from_values(np.eye(128)[axis]) for axis in (0, 1))


def test_an_engine_with_a_style_of_its_own(tmp_path: Path) -> None:
    record = write_feedforward(tmp_path / "leaf")
    engine = load_trained(tmp_path / "leaf", threads=1)
    assert engine.version == f"leaf-{record.sha256[:8]}"
    assert engine.model_sha256 == record.sha256
    assert engine.follows is Follows.OWN
    assert engine.credit is not None
    assert (engine.credit.style_id, engine.credit.license) == ("leaf", "CC0-1.0")
    painted = engine.restyle(IMAGE, ONE, 1.0)
    assert np.abs(painted - IMAGE).mean() > 0.01
    assert np.array_equal(painted, engine.restyle(IMAGE, OTHER, 1.0))
    assert np.array_equal(engine.restyle(IMAGE, ONE, 0.0), IMAGE)


def test_an_engine_that_follows_styles(tmp_path: Path) -> None:
    write_film(tmp_path / "ours")
    engine = load_trained(tmp_path / "ours")
    assert engine.follows is Follows.ALL
    assert engine.credit is None
    assert np.abs(engine.restyle(IMAGE, ONE) - engine.restyle(IMAGE, OTHER)).mean() > 1e-3


def test_the_former_name_of_results_is_read(tmp_path: Path) -> None:
    write_feedforward(tmp_path / "leaf")
    file = tmp_path / "leaf" / "engine.json"
    file.write_text(file.read_text().replace('"results"', '"figures"'))
    assert read_record(tmp_path / "leaf").results == {}


def test_trained_engines_are_found_by_name(tmp_path: Path) -> None:
    write_feedforward(tmp_path / "leaf")
    (tmp_path / "half-done" / "training").mkdir(parents=True)
    assert trained_names(tmp_path) == ("leaf",)
    assert trained_names(tmp_path / "nowhere") == ()
    assert load_stylizer("leaf", threads=1, trained=tmp_path).version.startswith("leaf-")
    with pytest.raises(UnknownEngineError, match=r"'leef'; known ones: film, .*leaf"):
        load_stylizer("leef", trained=tmp_path)
    with pytest.raises(UnknownEngineError):
        load_stylizer("../leaf", trained=tmp_path / "leaf")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "field 'format'"),
        ({"kind": "oil"}, "unknown kind 'oil'; known ones: feedforward, film"),
        ({"name": "Leaf!"}, "field 'name'"),
        ({"name": "leave"}, "'leave' differs from the folder's name 'leaf'"),
        ({"sha256": "0" * 64}, "sha256 is"),
        ({"shape": {"width": 8, "blocks": 1, "reach": 3}}, "not the weights of a feedforward of shape"),
        ({"shape": {"depth": 8}}, "unexpected keyword argument 'depth'"),
        ({"shape": {"width": 10**6}}, "field 'shape.width'"),
        ({"results": {"ssim": float("nan")}}, "field 'results.ssim'"),
        ({"color": "red"}, "field 'color'"),
        ({"license": 7}, "field 'license'"),
    ],
)
def test_a_record_that_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    write_feedforward(tmp_path / "leaf")
    file = tmp_path / "leaf" / "engine.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(WeightsError) as caught:
        load_trained(tmp_path / "leaf")
    assert words in str(caught.value)
    assert str(tmp_path / "leaf") in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"engine\.json: cannot be read.*train-style"):
        read_record(tmp_path / "leaf")
    write_feedforward(tmp_path / "leaf")
    (tmp_path / "leaf" / "engine.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"engine\.safetensors: weights are missing"):
        load_trained(tmp_path / "leaf")
    (tmp_path / "leaf" / "engine.json").write_text("{")
    with pytest.raises(WeightsError, match="field 'whole file': Invalid JSON"):
        read_record(tmp_path / "leaf")
