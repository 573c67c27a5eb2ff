"""The command line: what each command prints, where it leaves what, and how it says no."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn
from PIL import Image
from typer.testing import CliRunner

import recsys.doctor
from recsys import __version__
from recsys.api import server
from recsys.api.server import WORKERS_VARIABLE
from recsys.api.worker import PROJECT_VARIABLE, service
from recsys.cli.main import app
from recsys.dataset.project import Project
from recsys.dataset.splits import SPLIT_PART, SplitMethod
from recsys.demo import SIMULATED, is_simulated, simulate_project
from recsys.errors import DataError
from recsys.evaluation.report import EVERY, compare_project
from recsys.evaluation.tables import TableFormat, render
from recsys.models.registry import STYLE
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import ItemId, UserId
from style.credit import StyleCredit
from style.modes import PaintMode
from style.provenance.content_credentials import MARK_LABEL, SigningIdentity, read_manifest
from style.provenance.mark import ImageFormat, read_mark
from style.provenance.sidecar import read_sidecar

COMMANDS = (
    "init", "import", "simulate", "build", "recommend", "similar", "taste", "restyle", "evaluate", "page", "serve",
    "doctor", "demo", "tune",
)  # fmt: skip
HEAVY = {"torch", "faiss", "pandas", "numpy", "implicit", "fastapi", "pydantic"}
USER = UserId("u001")


def _run(*arguments: object, progress: str | None = None) -> Any:
    # Messages are looked at here, and a slow machine would add lines of progress to them.
    environment = {"RECSYS_PROGRESS": "off"} if progress is None else {"RECSYS_PROGRESS": progress}
    return CliRunner(env=environment).invoke(app, [str(argument) for argument in arguments])


def _refused(result: Any, *words: str) -> None:
    """Exit code 1 and one clean message on standard error, with these words in it."""
    assert result.exit_code == 1, result.output
    message = " ".join(result.stderr.split())
    assert message.startswith("error: ")
    assert "Traceback" not in message
    for word in words:
        assert word in message


def _misused(result: Any, *words: str) -> None:
    assert result.exit_code == 2, result.output
    for word in words:
        assert word in result.stderr


@pytest.fixture
def catalog(tmp_path: Path) -> Project:
    """Twelve products of two looks, without interactions."""
    return _catalog(tmp_path)


def _catalog(folder: Path) -> Project:
    rng = np.random.default_rng(2)
    rows = []
    for index in range(12):
        color = (200, 40, 40) if index % 2 else (30, 60, 200)
        noise = rng.integers(0, 90 if index % 2 else 4, (64, 64, 3))
        Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)).save(folder / f"{index}.png")
        rows.append((f"p{index:02}", f"Thing [red] {index}", "things", f"{index}.png", "red" if index % 2 else "blue"))
    frame = pd.DataFrame(rows, columns=["item_id", "title", "category", "image", "look"])
    frame.to_csv(folder / "items.csv", index=False)
    project = Project.init(folder / "shop", "things")
    assert _run("import", project.root, "--items", folder / "items.csv").exit_code == 0
    return project


class TestApp:
    def test_help_names_every_command_and_loads_nothing_heavy(self) -> None:
        code = f"""
import sys
from recsys.cli.main import main
sys.argv = ["recsys", "--help"]
try:
    main()
finally:
    print("loaded:", sorted({HEAVY!r} & set(sys.modules)))
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "loaded: []" in done.stdout
        assert all(f" {command} " in done.stdout for command in COMMANDS)

    def test_main_ends_with_code_1_and_one_line_for_an_expected_error(self, tmp_path: Path) -> None:
        code = (
            f"import sys; from recsys.cli.main import main; sys.argv = ['recsys', 'build', {str(tmp_path)!r}]; main()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stdout == ""
        message = f"error: {tmp_path}: not a project (it has no recsys.toml); create one with `recsys init`\n"
        assert done.stderr == message

    def test_version(self) -> None:
        result = _run("--version")
        assert (result.exit_code, result.output) == (0, f"style-recsys {__version__}\n")

    def test_unknown_commands_are_wrong_usage(self) -> None:
        _misused(_run("recomend"), "recomend")

    @pytest.mark.parametrize(
        "command",
        [
            "import --items x.csv", "simulate", "build", "recommend", "similar p1", "taste --user u",
            "restyle --item p1 --style s", "evaluate", "page --out x.html", "serve", "tune",
        ],
    )  # fmt: skip
    def test_every_command_refuses_a_folder_that_is_no_project(self, tmp_path: Path, command: str) -> None:
        name, *options = command.split()
        _refused(_run(name, tmp_path, *options), "not a project", "recsys init")

    def test_interruption_is_code_130(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(path: Path | None) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(recsys.doctor, "diagnose", interrupted)
        result = _run("doctor")
        assert result.exit_code == 130
        assert "run the same command again" in result.output

    def test_unexpected_errors_keep_their_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(path: Path | None) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(recsys.doctor, "diagnose", broken)
        assert isinstance(_run("doctor").exception, RuntimeError)


class TestInitAndImport:
    def test_init_makes_a_project_and_says_what_is_next(self, tmp_path: Path) -> None:
        result = _run("init", tmp_path / "shop", "--name", "Mugs & more")
        assert result.exit_code == 0
        assert Project.open(tmp_path / "shop").settings.name == "Mugs & more"
        assert "recsys import" in result.output

    def test_init_leaves_an_existing_project_alone(self, tmp_path: Path) -> None:
        _run("init", tmp_path, "--name", "first")
        _refused(_run("init", tmp_path, "--name", "second"), "already")
        assert Project.open(tmp_path).settings.name == "first"

    def test_import_reports_what_came_in(self, catalog: Project, tmp_path: Path) -> None:
        (tmp_path / "log.csv").write_text(
            "who,item_id,event,timestamp\na,p01,click,1700000005\nb,p02,view,1700000006\n"
        )
        result = _run("import", catalog.root, "--interactions", tmp_path / "log.csv", "--column", "who=user_id")
        assert result.exit_code == 0, result.output
        assert catalog.load_interactions()["user_id"].tolist() == ["a", "b"]
        assert "interactions  2" in result.output

    def test_append_adds_and_the_default_replaces(self, catalog: Project, tmp_path: Path) -> None:
        (tmp_path / "more.csv").write_text("item_id,title\nnew,New\n")
        assert _run("import", catalog.root, "--items", tmp_path / "more.csv", "--append").exit_code == 0
        assert len(catalog.load_items()) == 13
        assert _run("import", catalog.root, "--items", tmp_path / "more.csv").exit_code == 0
        assert len(catalog.load_items()) == 1

    def test_bad_rows_are_named_and_nothing_is_imported(self, catalog: Project, tmp_path: Path) -> None:
        log = tmp_path / "log.csv"
        log.write_text("user_id,item_id\na,p01\nb,nope\n")
        _refused(_run("import", catalog.root, "--interactions", log), f"{log}, row 3", "nope")
        assert not catalog.interactions_file.exists()
        result = _run("import", catalog.root, "--interactions", log, "--skip-bad")
        assert result.exit_code == 0
        assert "1 wrong rows left out" in result.output

    def test_broken_images_cost_only_themselves(self, catalog: Project, tmp_path: Path) -> None:
        (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8 torn")
        (tmp_path / "one.csv").write_text("item_id,title,image\nx,X,torn.jpg\n")
        checked = _run("import", catalog.root, "--items", tmp_path / "one.csv")
        assert checked.exit_code == 0
        assert "1 of 1 images cannot be used" in checked.output
        assert "torn.jpg: not an image" in checked.output
        unchecked = _run("import", catalog.root, "--items", tmp_path / "one.csv", "--no-image-check")
        assert unchecked.exit_code == 0

    def test_files_that_are_not_there_and_nothing_to_import(self, catalog: Project, tmp_path: Path) -> None:
        _refused(_run("import", catalog.root, "--items", tmp_path / "no.csv"), "no.csv", "no such file")
        _refused(_run("import", catalog.root), "nothing to import")

    def test_a_named_format_and_a_test_file(self, tmp_path: Path) -> None:
        project = Project.init(tmp_path / "shop", "lists")
        # Under a name that would be taken for CSV, and with a first line that would do for 100k ratings.
        (tmp_path / "train.csv").write_text("0 10 11\n1 10\n")
        (tmp_path / "test.csv").write_text("0 12\n1 11\n")
        files = ("--interactions", tmp_path / "train.csv", "--test-interactions", tmp_path / "test.csv")
        result = _run("import", project.root, *files, "--format", "lightgcn")
        assert result.exit_code == 0, result.output
        assert "2 events are the test part" in result.output
        frame = project.load_interactions()
        assert frame.loc[frame[SPLIT_PART] == "test", ["user_id", "item_id"]].to_numpy().tolist() == [
            ["0", "12"],
            ["1", "11"],
        ]

    def test_formats_and_files_that_do_not_go_together(self, catalog: Project, tmp_path: Path) -> None:
        (tmp_path / "log.txt").write_text("0 10 11\n")
        root, log = catalog.root, tmp_path / "log.txt"
        _misused(_run("import", root, "--interactions", log, "--format", "gcn"), "lightgcn", "movielens")
        _refused(_run("import", root, "--items", log, "--format", "lightgcn"), "lightgcn has no items")
        _refused(_run("import", root, "--users", log, "--format", "amazon-reviews"), "has no users")
        _refused(_run("import", root, "--items", log, "--test-interactions", log), "log.txt", "needs the train")
        _refused(_run("import", root, "--format", "csv"), "nothing to import")
        assert not catalog.interactions_file.exists()

    def test_renames_need_an_equals_sign(self, catalog: Project) -> None:
        _misused(_run("import", catalog.root, "--items", "x.csv", "--column", "who"), "OLD=NEW", "who")


class TestSimulate:
    def test_says_loudly_that_events_are_simulated(self, catalog: Project) -> None:
        result = _run("simulate", catalog.root, "--users", 20, "--style-by", "look")
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("SIMULATED")
        assert catalog.load_interactions()["user_id"].nunique() == 20
        assert is_simulated(catalog)
        assert catalog.load_users()[SIMULATED].tolist() == ["yes"] * 20

    def test_people_follow_the_column_they_are_simulated_by(self, catalog: Project) -> None:
        simulate_project(catalog, 40, "look")
        events = catalog.load_interactions().merge(catalog.load_items()[["item_id", "look"]], on="item_id")
        shares = events.groupby("user_id")["look"].agg(lambda looks: looks.value_counts(normalize=True).iloc[0])
        assert shares.mean() > 0.65

    def test_clusters_of_pictures_stand_in_for_a_column(self, catalog: Project) -> None:
        assert _run("simulate", catalog.root, "--users", 5).exit_code == 0
        assert catalog.load_interactions()["user_id"].nunique() == 5

    def test_real_events_are_never_mixed_with_simulated_ones(self, catalog: Project) -> None:
        _run("simulate", catalog.root, "--users", 3, "--style-by", "look")
        before = catalog.interactions_file.read_bytes()
        _refused(_run("simulate", catalog.root, "--users", 9, "--style-by", "look"), "has interactions")
        assert catalog.interactions_file.read_bytes() == before

    def test_unknown_columns_list_the_known_ones(self, catalog: Project) -> None:
        _refused(_run("simulate", catalog.root, "--style-by", "color"), "color", "look")

    def test_nobody_to_simulate_is_wrong_usage(self, catalog: Project) -> None:
        _misused(_run("simulate", catalog.root, "--users", 0), "--users")

    def test_no_pictures_and_no_column(self, tmp_path: Path) -> None:
        project = Project.init(tmp_path / "shop", "bare")
        (tmp_path / "items.csv").write_text("item_id,title\na,A\n")
        _run("import", project.root, "--items", tmp_path / "items.csv")
        with pytest.raises(DataError, match="no item has an image"):
            simulate_project(project, 3)


class TestBuild:
    def test_builds_what_was_imported(self, catalog: Project) -> None:
        _run("simulate", catalog.root, "--users", 20, "--style-by", "look")
        result = _run("build", catalog.root)
        assert result.exit_code == 0, result.output
        assert json.loads((catalog.bundles / "current.json").read_text())["version"] in result.output
        # Square brackets of a title are no markup of the terminal.
        assert "Thing [red]" in _run("recommend", catalog.root, "--limit", 3).output

    def test_without_data_says_what_to_run(self, tmp_path: Path) -> None:
        _run("init", tmp_path)
        _refused(_run("build", tmp_path), "recsys import")


class TestRecommend:
    def test_json_is_what_the_recommender_answers(self, sample_project: Project, recommender: Recommender) -> None:
        shown = json.loads(_run("recommend", sample_project.root, "--user", USER, "--limit", 7, "--json").stdout)
        answer = recommender.recommend(Request(user_id=USER, limit=7))
        assert [item["item_id"] for item in shown["items"]] == [found.item_id for found in answer.recommendations]
        assert [item["reason"] for item in shown["items"]] == [found.reason for found in answer.recommendations]
        assert (shown["basis"], shown["model_version"]) == ("history", recommender.version)

    def test_the_table_has_ids_titles_and_what_it_stands_on(
        self, sample_project: Project, recommender: Recommender
    ) -> None:
        result = _run("recommend", sample_project.root, "--user", USER, "--limit", 3)
        for found in recommender.recommend(Request(user_id=USER, limit=3)).recommendations:
            assert found.item_id in result.output
        assert "Based on this user's history" in result.output

    def test_filters_hold(self, sample_project: Project, recommender: Recommender) -> None:
        options = ("--category", "mug", "--price-min", 10, "--price-max", 20, "--exclude", "p0001", "--json")
        items = json.loads(_run("recommend", sample_project.root, "--user", USER, *options).stdout)["items"]
        assert items
        assert {item["category"] for item in items} == {"mug"}
        assert all(10 <= item["price"] <= 20 for item in items)

    def test_what_was_seen_comes_back_if_asked_for(self, sample_project: Project) -> None:
        def ids(*options: str) -> list[str]:
            shown = json.loads(_run("recommend", sample_project.root, "--item", "p0001", "--json", *options).stdout)
            return [item["item_id"] for item in shown["items"]]

        assert "p0001" not in ids()
        assert "p0001" not in ids("--variants", "all")
        assert "p0001" in ids("--include-seen")
        assert ids("--seen", "purchase") == ids("--include-seen")
        assert "one of view" in _run("recommend", sample_project.root, "--seen", "glance").output.replace("\n", " ")

    def test_sessions_and_chosen_styles_and_strangers(self, sample_project: Project, recommender: Recommender) -> None:
        style = recommender.styles.cards[0].style_id
        for options, basis in (
            (("--item", "p0001", "--item", "p0002=-2"), "session"),
            (("--style", style), "styles"),
            (("--user", "nobody"), "popular"),
        ):
            shown = json.loads(_run("recommend", sample_project.root, *options, "--json").stdout)
            assert shown["basis"] == basis
            assert len(shown["items"]) == 10
        assert "Nothing is known" in _run("recommend", sample_project.root, "--user", "nobody").output

    def test_weights_of_items_count(self, sample_project: Project, recommender: Recommender) -> None:
        shown = json.loads(_run("recommend", sample_project.root, "--item", "p0001=2.5", "--json").stdout)
        answer = recommender.recommend(Request(items={ItemId("p0001"): 2.5}))
        assert [item["item_id"] for item in shown["items"]] == [found.item_id for found in answer.recommendations]

    def test_what_is_explored_is_told_with_its_propensity(
        self, sample_project: Project, recommender: Recommender
    ) -> None:
        options = ("--exploration", 0.5, "--calibration", 0.5, "--exploration-seed", "again", "--json")
        shown = json.loads(_run("recommend", sample_project.root, "--user", USER, *options).stdout)["items"]
        answer = recommender.recommend(Request(USER, exploration=0.5, calibration=0.5, exploration_seed="again"))
        told = [(item["item_id"], item["propensity"], item["explored"]) for item in shown]
        assert told == [(found.item_id, found.propensity, found.explored) for found in answer.recommendations]
        assert any(item["explored"] for item in shown)

    def test_nothing_left(self, sample_project: Project) -> None:
        result = _run("recommend", sample_project.root, "--price-min", 1e6)
        assert result.exit_code == 0
        assert "no item passes the filters" in result.output

    def test_wrong_input(self, sample_project: Project, tmp_path: Path) -> None:
        root = sample_project.root
        _refused(_run("recommend", root, "--item", "nope"), "unknown item 'nope'")
        _refused(_run("recommend", root, "--style", "nope"), "unknown style 'nope'")
        _refused(_run("recommend", root, "--category", "nope"), "unknown category 'nope'")
        _refused(_run("recommend", root, "--price-min", 9, "--price-max", 3), "price_min")
        _refused(_run("recommend", root, "--limit", 100_000), "limit")
        _misused(_run("recommend", root, "--item", "p0001=much"), "much", "ITEM=WEIGHT")
        _misused(_run("recommend", root, "--limit", 0), "--limit")
        for share in ("--diversity", "--calibration", "--exploration"):
            _misused(_run("recommend", root, share, 2), share)

    def test_before_a_build(self, tmp_path: Path) -> None:
        _run("init", tmp_path)
        _refused(_run("recommend", tmp_path, "--user", USER), "recsys build")


class TestSimilarAndTaste:
    @pytest.mark.parametrize(
        ("by", "reason"), [("style", "Looks like"), ("taste", "Liked by the same"), ("both", "the same people")]
    )
    def test_similar(self, sample_project: Project, by: str, reason: str) -> None:
        result = _run("similar", sample_project.root, "p0001", "--by", by, "--limit", 4)
        assert result.exit_code == 0
        assert reason in " ".join(result.output.split())

    def test_similar_refuses_what_it_does_not_know(self, sample_project: Project) -> None:
        _refused(_run("similar", sample_project.root, "nope"), "unknown item 'nope'")
        _misused(_run("similar", sample_project.root, "p0001", "--by", "price"), "style, taste, both", "price")

    def test_taste_names_modes_and_products(self, sample_project: Project, recommender: Recommender) -> None:
        output = _run("taste", sample_project.root, "--user", USER).output
        modes = recommender.taste(Request(user_id=USER)).components
        for mode in modes:
            assert f"{mode.share:.0%}" in output
            assert mode.styles[0].title.split()[0] in output

    def test_taste_of_a_stranger(self, sample_project: Project) -> None:
        result = _run("taste", sample_project.root, "--user", "nobody")
        assert result.exit_code == 0
        assert "Nothing is known" in result.output


class TestRestyle:
    @pytest.fixture
    def restyle(self, sample_project: Project) -> Callable[..., Any]:
        return lambda *options: _run("restyle", sample_project.root, "--item", "p0001", "--engine", "color", *options)

    @pytest.mark.parametrize(
        "target",
        [("--user", USER, "--taste-component", "0"), ("--style", "linen"), ("--like", "p0002"), ("--scene", "holiday")],
    )
    def test_writes_a_marked_picture(self, restyle: Callable[..., Any], target: Sequence[str], tmp_path: Path) -> None:
        result = restyle(*target, "--strength", 0.6, "--size", 96, "--out", tmp_path / "new" / "r.webp")
        assert result.exit_code == 0, result.output
        data = (tmp_path / "new" / "r.webp").read_bytes()
        mark = read_mark(data)
        assert mark is not None
        assert (mark.engine, mark.version) == ("color", f"color-{mark.model_sha256[:8]}")
        assert f"strength used: texture {mark.strength.texture:.3g}, color {mark.strength.color:.3g}" in result.output
        assert mark.strength.largest <= 0.6
        with Image.open(tmp_path / "new" / "r.webp") as image:
            assert (image.format, image.width) == ("WEBP", 96)

    def test_strength_0_is_the_photo_without_a_mark(self, restyle: Callable[..., Any], tmp_path: Path) -> None:
        assert restyle("--style", "linen", "--strength", 0, "--out", tmp_path / "r.png").exit_code == 0
        assert read_mark((tmp_path / "r.png").read_bytes()) is None

    def test_needs_exactly_one_target(self, restyle: Callable[..., Any]) -> None:
        _misused(restyle(), "one of")
        _misused(restyle("--style", "linen", "--user", USER), "one of")
        _misused(restyle("--style", "linen", "--scene", "holiday"), "one of")
        _misused(restyle("--style", "linen", "--text", "marble"), "one of")
        _misused(restyle("--scene", "holiday", "--text", "marble"), "one of")

    def test_words_are_explained_and_change_a_taste(self, restyle: Callable[..., Any], tmp_path: Path) -> None:
        words = restyle("--text", "tartan xyzzy", "--size", 96, "--out", tmp_path / "words.png")
        assert words.exit_code == 0, words.output
        assert "understood: tartan 100%; not known: xyzzy" in words.output
        assert "nearest: Highland tartan (" in words.output
        assert restyle("--user", USER, "--size", 96, "--out", tmp_path / "taste.png").exit_code == 0
        both = restyle("--user", USER, "--text", "tartan", "--size", 96, "--out", tmp_path / "both.png")
        assert both.exit_code == 0, both.output
        pictures = {(tmp_path / f"{name}.png").read_bytes() for name in ("words", "taste", "both")}
        assert len(pictures) == 3

    def test_help_names_every_mode(self) -> None:
        text = " ".join(_run("restyle", "--help").output.replace("│", " ").split())
        assert f"{', '.join(list(PaintMode)[:-2])}, {list(PaintMode)[-2]} or {list(PaintMode)[-1]}" in text

    def test_modes_and_fidelity(self, restyle: Callable[..., Any], tmp_path: Path) -> None:
        out = tmp_path / "r.png"
        assert restyle("--style", "deco-gold", "--mode", "tone", "--keep-color", "--out", out).exit_code == 0
        mark = read_mark(out.read_bytes())
        assert mark is not None
        assert (mark.mode, mark.keep_color, mark.strength.texture) == (PaintMode.TONE, True, 0.0)
        assert (mark.credit, len(mark.model_sha256)) == (StyleCredit("deco-gold", "CC0-1.0"), 64)
        free = restyle("--style", "deco-gold", "--strength", 1, "--no-fidelity", "--out", out)
        assert "texture 1, color 1; requested: texture 1, color 1" in " ".join(free.output.split())
        assert "limited by" not in free.output

    def test_the_report_says_what_limited_the_strength(self, sample_project: Project, tmp_path: Path) -> None:
        strict = tmp_path / "shop"
        shutil.copytree(sample_project.root, strict)
        settings = (strict / "recsys.toml").read_text(encoding="utf-8")
        assert "max_mean_difference = 25.0" in settings
        changed = settings.replace("max_mean_difference = 25.0", "max_mean_difference = 3.0")
        (strict / "recsys.toml").write_text(changed, encoding="utf-8")
        options = ("--item", "p0001", "--style", "linen", "--engine", "color", "--strength", 1)
        result = _run("restyle", strict, *options, "--out", tmp_path / "r.png")
        assert result.exit_code == 0, result.output
        text = " ".join(result.output.split())
        assert "requested: texture 1, color 1 limited by mean-difference product: color difference 3.0, 95th" in text
        mark = read_mark((tmp_path / "r.png").read_bytes())
        assert mark is not None
        assert 0 < mark.strength.color < 1

    def test_a_signed_picture(
        self, restyle: Callable[..., Any], signing_identity: SigningIdentity, tmp_path: Path
    ) -> None:
        chain, key, out = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "r.jpg"
        chain.write_bytes(signing_identity.chain)
        key.write_bytes(signing_identity.key)
        result = restyle("--style", "linen", "--sign-cert", chain, "--sign-key", key, "--sidecar", "--out", out)
        assert result.exit_code == 0, result.output
        manifest = read_manifest(out.read_bytes(), ImageFormat.JPEG)
        assert manifest["signature_info"]["common_name"] == "Shop"
        mark = read_sidecar((tmp_path / "r.jpg.json").read_text(encoding="utf-8"), out.read_bytes())
        assert {"label": MARK_LABEL, "data": mark.properties()} in manifest["assertions"]

    def test_a_scene_is_nearest_to_the_user(
        self, restyle: Callable[..., Any], recommender: Recommender, tmp_path: Path
    ) -> None:
        credited = []
        for options in ([], ["--user", USER]):
            assert restyle("--scene", "sale", *options, "--out", tmp_path / "r.png").exit_code == 0
            mark = read_mark((tmp_path / "r.png").read_bytes())
            assert mark is not None
            assert mark.credit is not None
            credited.append(mark.credit.style_id)
        taste = recommender.style_for(Request(user_id=USER))
        assert taste is not None
        suiting = [card.style_id for card in recommender.styles.cards if "sale" in card.scenes]
        assert credited == [
            suiting[0],
            recommender.styles.card_for_scene("sale", recommender.profile(Request(user_id=USER)).taste).style_id,
        ]
        assert credited[1] in suiting

    def test_a_sidecar_beside_the_picture(self, restyle: Callable[..., Any], tmp_path: Path) -> None:
        out = tmp_path / "r.jpg"
        assert restyle("--style", "linen", "--sidecar", "--out", out).exit_code == 0
        beside = (tmp_path / "r.jpg.json").read_text(encoding="utf-8")
        assert read_sidecar(beside, out.read_bytes()) == read_mark(out.read_bytes())

    def test_photos_are_never_overwritten(
        self, restyle: Callable[..., Any], recommender: Recommender, tmp_path: Path
    ) -> None:
        style = recommender.bundle.image_root / recommender.styles.cards[0].image
        # Only through links: should this test ever fail, the sample must not be what it destroys.
        for photo in (
            recommender.catalog.card(ItemId("p0001")).image,
            recommender.catalog.card(ItemId("p0002")).image,
            style,
        ):
            assert photo is not None
            (tmp_path / "between.jpg").unlink(missing_ok=True)
            (tmp_path / "innocent.jpg").unlink(missing_ok=True)
            (tmp_path / "between.jpg").symlink_to(photo)
            (tmp_path / "innocent.jpg").symlink_to(tmp_path / "between.jpg")
            _refused(restyle("--style", "linen", "--out", tmp_path / "innocent.jpg"), "never overwrite", "--out")
            assert (tmp_path / "innocent.jpg").is_symlink()

    def test_another_file_is_overwritten(self, restyle: Callable[..., Any], tmp_path: Path) -> None:
        for _ in range(2):
            assert restyle("--style", "linen", "--out", tmp_path / "r.png").exit_code == 0

    def test_signing_needs_both_files(self, restyle: Callable[..., Any], tmp_path: Path) -> None:
        _misused(restyle("--style", "linen", "--sign-cert", tmp_path / "a.pem"), "--sign-key")
        options = ("--sign-cert", tmp_path / "a.pem", "--sign-key", tmp_path / "b.pem", "--out", tmp_path / "r.png")
        _refused(restyle("--style", "linen", *options), "a.pem", "cannot be read")
        assert not (tmp_path / "r.png").exists()

    def test_wrong_input(self, restyle: Callable[..., Any], sample_project: Project, tmp_path: Path) -> None:
        _refused(restyle("--style", "nope"), "unknown style 'nope'")
        _refused(restyle("--like", "nope"), "unknown item 'nope'")
        _refused(restyle("--user", "nobody"), "nobody", "choose a style")
        _refused(restyle("--user", USER, "--taste-component", 9), "components")
        _refused(restyle("--scene", "wedding"), "unknown scene 'wedding'", "holiday", "everyday")
        _misused(restyle("--style", "linen", "--mode", "oil"), "product, full, background, tone")
        _refused(restyle("--style", "linen", "--out", tmp_path / "r.gif"), ".gif", ".png")
        _refused(restyle("--style", "linen", "--engine", "nope"), "unknown engine 'nope'", "color")
        _misused(restyle("--style", "linen", "--strength", 2), "--strength")
        (tmp_path / "file").write_text("")
        _refused(restyle("--style", "linen", "--out", tmp_path / "file" / "r.png"), "cannot be written")


class TestServe:
    def test_needs_a_bundle_before_anything_listens(self, tmp_path: Path) -> None:
        _run("init", tmp_path)
        _refused(_run("serve", tmp_path), "recsys build")

    def test_runs_the_service_of_the_project(
        self, sample_project: Project, recommender: Recommender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: dict[str, Any] = {}
        # monkeypatch restores what the command sets in the environment.
        monkeypatch.setenv(PROJECT_VARIABLE, "")
        monkeypatch.setenv("RECSYS_LINK_KEY", "a key that tests use")
        monkeypatch.setenv(WORKERS_VARIABLE, "1")
        monkeypatch.setattr(uvicorn, "Config", lambda target, **options: started.update(options, target=target))
        monkeypatch.setattr(server, "run", lambda config: None)
        result = _run("serve", sample_project.root, "--port", 8123, "--workers", 2)
        assert result.exit_code == 0
        assert "http://127.0.0.1:8123" in result.output
        assert (started["target"], started["factory"]) == ("recsys.api.worker:service", True)
        assert (started["port"], started["workers"]) == (8123, 2)
        assert (started["forwarded_allow_ips"], started["root_path"]) == ("127.0.0.1,::1", "")
        assert os.environ[WORKERS_VARIABLE] == "2"
        services = service().state.services
        services.restyler.close()
        assert services.recommender.version == recommender.version
        assert os.environ[PROJECT_VARIABLE] == str(sample_project.root)


class TestDoctorAndDemo:
    def test_doctor_ends_with_1_where_something_fails(self, tmp_path: Path) -> None:
        result = _run("doctor", tmp_path)
        assert result.exit_code == 1
        assert "fail project" in result.output

    def test_demo_never_overwrites_another_project(self, tmp_path: Path) -> None:
        _run("init", tmp_path / "shop", "--name", "a real one")
        _refused(_run("demo", "--out", tmp_path), "a real one", "another folder")

    @pytest.mark.slow
    def test_demo_twice(self, tmp_path: Path) -> None:
        for _ in range(2):
            result = _run("demo", "--out", tmp_path, "--port-hint", 8124)
            assert result.exit_code == 0, result.output
            assert f"recsys serve {tmp_path / 'shop'} --port 8124" in " ".join(result.output.split())
            assert "synthetic" in (tmp_path / "index.html").read_text()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The twelve products, and sixty simulated people; only to be read."""
    project = _catalog(tmp_path_factory.mktemp("evaluated"))
    simulate_project(project, 60, "look")
    return project


def _figures(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text)).set_index(["part", "model", "metric"])


class TestEvaluate:
    @pytest.fixture
    def split(self, tmp_path: Path) -> tuple[Path, Path]:
        """Two crowds: even people like even items; each of 20 people is asked for one of ten."""
        rng = np.random.default_rng(0)
        liked = [[2 * item + user % 2 for item in rng.permutation(10)[:6].tolist()] for user in range(20)]
        paths = tmp_path / "train.txt", tmp_path / "test.txt"
        for path, part in zip(paths, (slice(5), slice(5, 6)), strict=True):
            lines = (" ".join(map(str, [user, *items[part]])) for user, items in enumerate(liked))
            path.write_text("\n".join(lines) + "\n")
        return paths

    def test_a_project_by_time_for_people_to_read(self, shop: Project) -> None:
        result = _run("evaluate", shop.root, "--k", 5, "--quiet")
        assert result.exit_code == 0, result.output
        text = " ".join(result.stdout.split())
        assert "one moment for all, the last 20% of events held out (from " in text
        assert "all 12 items ranked, no sampled negatives" in text
        for word in ("popularity", "trend", "als", "blend", "recall@5", "ndcg@5", "ndcg@5 by slice", "cold items"):
            assert word in text
        assert max(map(len, result.stdout.splitlines())) <= 80
        assert result.stderr == ""

    def test_stages_and_where_the_time_went_are_on_standard_error(
        self, shop: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("recsys.cli.shared.WORTH_A_TABLE_S", 0.0)
        result = _run("evaluate", shop.root, "--models", "als", progress="lines")
        assert result.stderr.splitlines()[-1].endswith("s  in all")
        assert "in all" not in result.stdout

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--split", "leave-last", "--events", 2), "the last 2 of each user's events"),
            (("--split", "random", "--share", 0.4), "40% of each user's items held out at random"),
            (("--split", "strong", "--share", 0.25), "25% of users held out, 25% of their items asked for"),
            (("--split", "cold-items", "--share", 0.3), "30% of items held out, only these recommended"),
        ],
    )
    def test_other_splits(self, shop: Project, options: tuple[object, ...], words: str) -> None:
        result = _run("evaluate", shop.root, "--models", "popularity", "--models", "als", *options)
        assert result.exit_code == 0, result.output
        assert words in " ".join(result.stdout.split())
        assert "blend" not in result.stdout

    def test_every_model_and_control_in_a_file_of_figures(self, shop: Project, tmp_path: Path) -> None:
        out = tmp_path / "figures.csv"
        options = ("--models", "all", "--controls", "--baseline", "blend", "--split", "random", "--output", out)
        result = _run("evaluate", shop.root, "--k", 3, *options)
        assert result.exit_code == 0, result.output
        assert f"wrote {out}" in "".join(result.stdout.splitlines())
        figures = _figures(out.read_text())
        controls = ("blend, shuffled style", "blend, random style", "blend, colors alone")
        assert set(figures.loc["all users"].index.get_level_values("model")) == {*EVERY, *controls}
        assert np.isnan(figures.loc[("all users", "blend", "ndcg"), "p"])
        assert figures.loc[("all users", "ease", "ndcg"), "p"] > 0
        assert figures.loc[("all users", "popularity", "style_diversity"), "mean"] > 0

    @pytest.mark.parametrize("form", TableFormat)
    def test_every_figure_in_any_format_and_nothing_else(self, shop: Project, form: TableFormat) -> None:
        options = ("--split", "random", "--models", "als", "--table", form)
        result = _run("evaluate", shop.root, *options)
        report = compare_project(shop, SplitMethod.RANDOM, models=["als"])
        assert result.stdout == render(report, form)

    def test_sampled_figures_say_so(self, shop: Project) -> None:
        text = _run("evaluate", shop.root, "--split", "random", "--models", "als", "--sampled", 4).stdout
        assert "SAMPLED" in text
        assert "sampled 4" in text
        assert "no sampled negatives" not in text

    def test_two_files_without_a_project(self, split: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        train, test = split
        monkeypatch.setenv("TMPDIR", str(train.parent / "temporary"))
        monkeypatch.setattr(tempfile, "tempdir", None)
        (train.parent / "temporary").mkdir()
        options = ("--format", "lightgcn", "--models", "all", "--k", 2, "--table", "csv")
        result = _run("evaluate", "--train", train, "--test", test, *options)
        assert result.exit_code == 0, result.output
        assert not list((train.parent / "temporary").iterdir())
        figures = _figures(result.stdout)
        assert figures["split"].eq("the train and test files that came with the data").all()
        assert set(figures.loc["all users"].index.get_level_values("model")) == {n for n in EVERY if n not in STYLE}
        # The other crowd's items are never right.
        low, high = figures.loc[("all users", "item_knn_cosine", "recall"), ["low", "high"]]
        assert figures.loc[("all users", "popularity", "recall"), "mean"] < low
        assert high <= 1

    def test_files_and_a_project_of_the_same_split_give_the_same_figures(
        self, split: tuple[Path, Path], tmp_path: Path
    ) -> None:
        train, test = split
        project = Project.init(tmp_path / "lists", "lists")
        files = ("--interactions", train, "--test-interactions", test)
        assert _run("import", project.root, *files).exit_code == 0
        options = ("--models", "als", "--table", "json")
        whole = _run("evaluate", project.root, *options).stdout
        assert json.loads(whole)["test_events"] == 20
        assert _run("evaluate", "--train", train, "--test", test, *options).stdout == whole

    def test_files_of_a_format_with_a_catalog_need_none(self, tmp_path: Path) -> None:
        header = "user\tproduct\n"
        rng = np.random.default_rng(1)
        rows = [f"u{user}\ti{item}\n" for user in range(12) for item in rng.permutation(8)[:4].tolist()]
        (tmp_path / "train.tsv").write_text(header + "".join(rows[::2]))
        (tmp_path / "test.tsv").write_text(header + "".join(rows[1::2]))
        files = ("--train", tmp_path / "train.tsv", "--test", tmp_path / "test.tsv")
        result = _run("evaluate", *files, "--models", "als", "--k", 2, "--table", "json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["items"] == 8

    def test_wrong_usage(self, shop: Project, split: tuple[Path, Path], tmp_path: Path) -> None:
        root, (train, test) = shop.root, split
        for share in (0, 1, -0.5, 1.5):
            _misused(_run("evaluate", root, "--share", share), "--share", "between 0 and 1")
        _misused(_run("evaluate", root, "--split", "leave-last", "--events", 0), "--events")
        _misused(_run("evaluate", root, "--split", "leave-last", "--share", 0.3), "--share", "leave-last")
        _misused(_run("evaluate", root, "--events", 2), "--events", "leave-last")
        _misused(_run("evaluate", root, "--split", "last"), "leave-last", "cold-items")
        _misused(_run("evaluate", root, "--table", "html"), "markdown", "csv")
        _misused(_run("evaluate", root, "--sampled", 0), "--sampled")
        _misused(_run("evaluate", root, "--k", 0), "--k")
        _misused(_run("evaluate"), "--train")
        _misused(_run("evaluate", "--train", train), "--test")
        _misused(_run("evaluate", root, "--train", train, "--test", test), "--train", "--format")
        _misused(_run("evaluate", root, "--format", "lightgcn"), "--train", "--format")
        _misused(_run("evaluate", "--train", train, "--test", test, "--split", "random"), "--split")
        _misused(_run("evaluate", "--train", train, "--test", test, "--format", "gcn"), "lightgcn")

    def test_what_the_data_do_not_have(self, shop: Project, split: tuple[Path, Path], tmp_path: Path) -> None:
        root, (train, test) = shop.root, split
        _refused(_run("evaluate", root, "--models", "bert"), "unknown model 'bert'", "all", "item_knn_bm25")
        _refused(_run("evaluate", root, "--baseline", "bert"), "baseline", "unknown model 'bert'")
        _refused(_run("evaluate", root, "--split", "predefined"), "--test-interactions")
        _refused(_run("evaluate", root, "--output", tmp_path / "a.xls"), ".xls", ".md")
        _refused(_run("evaluate", root, "--output", tmp_path / "no" / "a.md"), "folder that is there")
        files = ("--train", train, "--test", test)
        _refused(_run("evaluate", *files, "--models", "style_knn"), "learns from photos")
        _refused(_run("evaluate", *files, "--controls"), "no item has an image")
        _refused(_run("evaluate", "--train", train, "--test", tmp_path / "no.txt"), "no.txt", "no such file")
        _refused(_run("evaluate", *files, "--format", "parquet"), "train.txt")


def test_one_table_of_the_style_benchmark_says_what_it_needs(tmp_path: Path) -> None:
    _misused(_run("bench", "style", "--labeled", tmp_path, "--only", "transfer"), "--judge")
    _misused(_run("bench", "style", "--labeled", tmp_path, "--only", "all"), "transfer")
