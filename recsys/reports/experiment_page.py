"""Page of an experiment: one self-contained HTML or Markdown file with embedded plots."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from recsys.errors import ConfigError, DataError
from recsys.experiments.analysis.analyze import Analysis
from recsys.experiments.analysis.experiment_plan import ExperimentPlan
from recsys.experiments.design.definition import Experiment
from recsys.reports.drawing import Drawing
from recsys.reports.experiment_charts import effect_chart, health_chart, novelty_chart, segment_chart, time_chart
from recsys.reports.experiment_view import build_view
from recsys.reports.inline_images import write_file
from style.provenance.mark import ImageFormat

_PLOTS: dict[str, Callable[[Analysis], Drawing]] = {
    "health": health_chart,
    "effects": effect_chart,
    "time": time_chart,
    "novelty": novelty_chart,
    "segments": segment_chart,
}
_TEMPLATES = {".html": "experiment.html.j2", ".md": "experiment.md.j2"}


def write_experiment_page(analysis: Analysis, out: Path) -> None:
    """Write the page to `out`, as HTML, Markdown or JSON by its suffix.

    Raises:
        ConfigError: if the suffix is another one.
        ProjectError: if `out` cannot be written.
        MissingExtraError: if matplotlib, which plots need, is missing.
    """
    suffix = out.suffix.lower()
    if suffix == ".json":
        write_file(out, analysis_json(analysis).encode())
    elif suffix in _TEMPLATES:
        write_file(out, render_experiment(analysis, suffix).encode())
    else:
        raise ConfigError(f"{out}: unknown suffix {suffix!r}; give .html, .md or .json")


def render_experiment(analysis: Analysis, suffix: str = ".html", *, plots: bool = True) -> str:
    """Render the page as text; in HTML all texts of the data are escaped. `plots` need matplotlib."""
    environment = Environment(
        loader=PackageLoader("recsys.reports"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=suffix == ".md",
        lstrip_blocks=suffix == ".md",
    )
    sources = dict.fromkeys(_PLOTS, "")
    for name, draw in _PLOTS.items() if plots else ():
        # Without anything to draw there is no plot; the text of the page gives the reason.
        with suppress(DataError):
            png = draw(analysis).encode(ImageFormat.PNG)
            sources[name] = "data:image/png;base64," + base64.b64encode(png).decode()
    text = environment.get_template(_TEMPLATES[suffix]).render(view=build_view(analysis), plots=sources)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def decision_text(analysis: Analysis) -> str:
    """Return the decision and its reasons as Markdown."""
    view = build_view(analysis)
    return "\n".join([f"**{view.decision}**", "", *(f"- {line}" for line in view.why)])


def health_text(analysis: Analysis) -> str:
    """Return the health checks and their results as Markdown."""
    view = build_view(analysis)
    rows = (f"- {row.name}: {'sound' if row.sound else '**not sound**'}. {row.words}" for row in view.health)
    return "\n".join([view.health_words, "", *rows])


def analysis_json(results: Analysis | ExperimentPlan) -> str:
    """Return an analysis or a plan as JSON; infinity and NaN become null, and the experiment becomes its key."""
    return json.dumps(_plain(results), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Experiment):
        return value.key
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
