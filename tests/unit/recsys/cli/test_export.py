from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.sample import sample_folder
from style.provenance.mark import read_mark


def run(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_export_writes_a_file_its_card_and_how_near_it_is(tmp_path: Path) -> None:
    output = run("export", "--format", "torchscript", "--output", tmp_path)
    assert "compared on 24 photos" in output
    card = json.loads((tmp_path / "film.pt.json").read_text())
    assert card["engine"] == "film"
    assert card["difference"]["largest"] < 1e-3


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    assert "color is not a single network" in run(
        "export", "--engine", "color", "--format", "onnx", "--output", tmp_path, code=1
    )
    assert "exclude each other" in run(
        "export", "--format", "openvino", "--int8", "static", "--float16", "--output", tmp_path, code=2
    )
    assert "use static or dynamic" in run("export", "--format", "onnx", "--int8", "4", "--output", tmp_path, code=2)


def test_a_gallery_is_restyled_toward_a_reference(tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    folder.mkdir()
    pictures = sorted((sample_folder() / "images").glob("*.jpg"))[:2]
    for picture in pictures:
        (folder / picture.name).write_bytes(picture.read_bytes())
    style = (sample_folder() / "styles.csv").read_text().splitlines()[1].split(",")[0]
    out = tmp_path / "out.webp"
    output = run(
        "restyle-sequence", folder, "--style", style, "--engine", "color", "--size", "64", "--out", out, "--measure"
    )
    assert "2 frames, strength" in output
    assert "flicker" in output
    mark = read_mark(out.read_bytes())
    assert mark is not None
    assert mark.credit is not None
    assert mark.credit.style_id == style
    assert "no style reference 'none'" in run("restyle-sequence", folder, "--style", "none", "--out", out, code=1)
    assert "give one of" in run("restyle-sequence", folder, "--out", out, code=2)
