"""Traces: a span a request, with the route and without anybody's id."""

from __future__ import annotations

import subprocess
import sys

import pytest

from recsys.api.middleware.tracing import tracer_provider
from recsys.errors import ConfigError


@pytest.mark.parametrize(
    "environment", [{}, {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}]
)
def test_nobody_traces_unasked(environment: dict[str, str]) -> None:
    assert tracer_provider(environment) is None


def test_an_unknown_exporter_is_named() -> None:
    with pytest.raises(ConfigError, match="OTEL_TRACES_EXPORTER=jaeger: set it to otlp, console or none"):
        tracer_provider({"OTEL_TRACES_EXPORTER": "jaeger"})


@pytest.mark.parametrize(
    ("hidden", "environment"),
    [
        ("opentelemetry.sdk.resources", {"OTEL_TRACES_EXPORTER": "console"}),
        ("opentelemetry.exporter", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}),
    ],
)
def test_without_the_extra_its_name_is_told(hidden: str, environment: dict[str, str]) -> None:
    # None in sys.modules is how Python marks what cannot be imported.
    code = f"import sys; sys.modules[{hidden!r}] = None\nfrom recsys.api.middleware.tracing import tracer_provider\n"
    code += f"tracer_provider({environment!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("recsys.errors.MissingExtraError: opentelemetry")
    assert "style-recsys[otel]" in done.stderr


def test_the_console_gets_spans() -> None:
    code = """
from recsys.api.middleware.tracing import tracer_provider
provider = tracer_provider({"OTEL_TRACES_EXPORTER": "console"})
provider.get_tracer("t").start_span("a span of a test").end()
provider.shutdown()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert '"name": "a span of a test"' in done.stdout
    assert "style-recsys" in done.stdout
