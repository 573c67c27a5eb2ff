"""Logs and policies from files: types by name, and every defect with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError
from recsys.experiments.off_policy.tables import read_table

ROWS = pd.DataFrame(
    {
        "user_id": ["007", "8"],
        "items": ['["a", "b"]', "[]"],
        "propensities": ["[0.5, null]", "[]"],
        "propensity": ["0.5", ""],
        "satisfied": ["True", "0"],
        "note": ["x", "y"],
    }
)


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "log.csv", index=False)
    native = ROWS.assign(
        items=[["a", "b"], []],
        propensities=[[0.5, None], []],
        propensity=[0.5, np.nan],
        satisfied=[True, False],
    )
    native.to_parquet(tmp_path / "log.parquet")
    for name in ("log.csv", "log.parquet"):
        found = read_table(tmp_path / name, ("user_id",))
        assert found["user_id"].tolist() == ["007", "8"]
        assert [list(items) for items in found["items"]] == [["a", "b"], []]
        assert found["propensity"].isna().tolist() == [False, True]
        assert found["satisfied"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("propensity", "often", "column 'propensity', row 0: 'often' is not a number"),
        ("satisfied", "perhaps", "column 'satisfied': 'perhaps' is neither true nor false"),
        ("items", "a b", "column 'items': 'a b' is not a list"),
        ("items", '{"a": 1}', "is not a list"),
    ],
)
def test_wrong_values(tmp_path: Path, column: str, value: str, said: str) -> None:
    ROWS.assign(**{column: [value, ROWS[column][1]]}).to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(DataError, match=said):
        read_table(tmp_path / "log.csv", ())


def test_wrong_files(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(DataError, match="no column 'action', 'strength'; it has user_id, items"):
        read_table(tmp_path / "log.csv", ("action", "strength", "user_id"))
    with pytest.raises(DataError, match=r"expected a \.csv or \.parquet file"):
        read_table(tmp_path / "log.xlsx", ())
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_table(tmp_path / "absent.csv", ())
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_table(tmp_path / "broken.parquet", ())
