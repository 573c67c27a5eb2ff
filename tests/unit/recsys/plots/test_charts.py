"""Charts show the figures of the report: every model, its interval, and names that do not lie on each other."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.errors import ConfigError, DataError, MissingExtraError
from recsys.evaluation.comparison import ComparisonReport, MetricValue, SliceReport
from recsys.evaluation.significance import Interval
from recsys.plots.charts import accuracy_chart, beyond_chart, slice_chart, spread_out, style_chart
from recsys.reports.drawing import Drawing, new_figure

METRICS = ("ndcg", "coverage", "novelty", "style_diversity")
CONTROLS = ("blend, shuffled style", "blend, random style")


def report_of(*models: str, users: int = 50) -> ComparisonReport:
    """The n-th model is worse than the blend by n tenths."""
    figures = {}
    for number, name in enumerate(("blend", *models)):
        value = 0.9 - 0.1 * number
        lead = Interval(-0.1 * number, -0.1 * number - 0.02, -0.1 * number + 0.03)
        found = MetricValue(Interval(value, value - 0.05, value + 0.05), users)
        if number:
            found = MetricValue(found.interval, users, 0.01, 0.02, lead)
        figures[name] = dict.fromkeys(METRICS, found)
    slices = (SliceReport("cold items", 2, 2, figures), SliceReport("tail items", users, 70, figures))
    return ComparisonReport(
        "by time", "blend", 10, 0, 9, 9, 30, 0, None, SliceReport("all users", 50, 90, figures), slices
    )


def spans(drawing: Drawing, panel: int) -> list[tuple[float, float, float]]:
    """The intervals drawn in one panel: row, low, high."""
    lines = [line.get_xydata() for line in drawing.figure.axes[panel].get_lines() if len(line.get_xydata()) == 2]
    return [(float(a[1]), float(a[0]), float(b[0])) for a, b in lines if a[1] == b[1]]


def test_accuracy_rows_are_best_first_with_intervals_and_differences() -> None:
    drawing = accuracy_chart(report_of("als", "popularity"))
    left, right = drawing.figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["blend", "als", "popularity"]
    np.testing.assert_allclose(spans(drawing, 0), [(0, 0.85, 0.95), (1, 0.75, 0.85), (2, 0.65, 0.75)])
    np.testing.assert_allclose(spans(drawing, 1), [(1, -0.12, -0.07), (2, -0.22, -0.17)])
    assert left.get_xlabel() == "NDCG@10 (95 % interval)"
    assert "difference from blend" in right.get_xlabel()


def test_slices_of_few_people_are_named_and_not_drawn() -> None:
    drawing = slice_chart(report_of("als"))
    assert [axes.get_title(loc="left") for axes in drawing.figure.axes] == ["tail items\n50 users, 70 items to find"]
    assert "cold items, 2" in drawing.figure.get_suptitle()
    with pytest.raises(DataError, match="no slice has 20 users"):
        slice_chart(report_of("als", users=3))


def test_beyond_has_a_panel_for_each_measure_and_leaves_controls_out() -> None:
    drawing = beyond_chart(report_of("als", *CONTROLS))
    assert len(drawing.figure.axes) == 3
    for axes in drawing.figure.axes:
        assert [text.get_text() for text in axes.texts] == ["blend", "als"]


def test_style_is_the_lead_over_each_control() -> None:
    drawing = style_chart(report_of(*CONTROLS))
    found = spans(drawing, 0)
    assert [round(row) for row, _, _ in found] == [0, 1, 0, 1]
    np.testing.assert_allclose([span[1:] for span in found], [(0.07, 0.12)] * 2 + [(0.17, 0.22)] * 2)
    with pytest.raises(DataError, match="controls=True"):
        style_chart(report_of("als"))


@pytest.mark.parametrize("chart", [accuracy_chart, slice_chart, beyond_chart, style_chart])
def test_an_unknown_metric_is_refused(chart: object) -> None:
    assert callable(chart)
    with pytest.raises(DataError, match="'auc' is none of the metrics compared: ndcg"):
        chart(report_of("als", *CONTROLS), "auc")


def test_names_keep_their_distance_and_their_order() -> None:
    found = spread_out([0.9, 0.89, 0.88, 0.05, 0.04, 0.03], 0.1)
    assert np.all(-np.diff(found) >= 0.1 - 1e-12)
    assert min(found) >= 0
    assert spread_out([0.9, 0.5], 0.1) == [0.9, 0.5]


def test_a_drawing_is_shown_once_and_saved_by_its_suffix(tmp_path: Path) -> None:
    chart, photo = accuracy_chart(report_of("als")), Drawing(new_figure(1, 1), photographic=True)
    assert chart._repr_jpeg_() is None
    assert photo._repr_png_() is None
    for shown, kind in ((chart._repr_png_(), "PNG"), (photo._repr_jpeg_(), "JPEG")):
        assert shown is not None
        assert Image.open(io.BytesIO(shown)).format == kind
    photo.save(tmp_path / "new" / "photo.webp")
    with Image.open(tmp_path / "new" / "photo.webp") as saved:
        assert saved.size == (80, 80)
    with pytest.raises(ConfigError, match=r"not \.pdf"):
        chart.save(tmp_path / "chart.pdf")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'style-recsys\[notebooks\]'"):
        new_figure(1, 1)
