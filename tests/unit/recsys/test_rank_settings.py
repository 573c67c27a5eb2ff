"""Settings of ranking: read from TOML and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.config import RankSettings, load_settings
from recsys.errors import ConfigError
from recsys.schema import Reranker


def test_nothing_is_random_unless_a_shop_wants_it() -> None:
    assert RankSettings().exploration == 0.0


def test_a_file_chooses_the_reranker(tmp_path: Path) -> None:
    text = '[rank]\nreranker = "dpp"\ncalibration = 0.5\nexploration = 0.1\n'
    (tmp_path / "recsys.toml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path / "recsys.toml").rank
    assert (settings.reranker, settings.calibration, settings.exploration) == (Reranker.DPP, 0.5, 0.1)


@pytest.mark.parametrize("line", ['reranker = "xquad"', "calibration = 1.1", "exploration = -0.1", "diversity = nan"])
def test_what_is_out_of_range_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "recsys.toml").write_text(f"[rank]\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"rank.{line.split()[0]}"):
        load_settings(tmp_path / "recsys.toml")
