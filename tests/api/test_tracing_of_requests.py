"""Spans of the real service, taken from OpenTelemetry's in-memory exporter."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Request

Serve = Callable[..., httpx.Client]
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Faulty(Recommender):
    def recommend(self, request: Request) -> Answer:
        raise RuntimeError(f"secret of {request.user_id}")


def test_a_request_is_a_span_of_the_callers_trace_and_names_nobody(serve: Serve, recommender: Recommender) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    client = serve(served=Faulty(recommender.bundle), provider=provider)
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-ID": "r1"}
    client.get("/v1/items/p00", headers=headers)
    client.get("/v1/users/jane.doe/recommendations?exclude=p07", headers={"X-Request-ID": "r2"})
    client.get("/absent/jane.doe")
    found, failed, absent = exporter.get_finished_spans()
    assert found.name == "GET /v1/items/{item_id:path}"
    assert found.context is not None
    assert f"{found.context.trace_id:032x}" == TRACE
    assert found.attributes is not None
    assert dict(found.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/v1/items/{item_id:path}",
        "recsys.model_version": recommender.version,
        "recsys.request_id": "r1",
    }
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "RuntimeError"
    assert not failed.status.is_ok
    assert absent.name == "GET"
    for span in (found, failed, absent):
        assert "jane" not in span.to_json()
        assert "secret" not in span.to_json()
