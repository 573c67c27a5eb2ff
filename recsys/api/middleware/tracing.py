"""Traces by OpenTelemetry (extra `otel`), if the environment enables them: one span per request.

The ASGI instrumentation of OpenTelemetry writes whole addresses into spans, which contain user ids. This one writes the
route's pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.context import request_context_of
from recsys.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINT_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORTER_VARIABLE = "OTEL_TRACES_EXPORTER"
SERVICE_NAME = "style-recsys"
EXTRA = "otel"


def tracer_provider(environment: Mapping[str, str]) -> TracerProvider | None:
    """Create the provider of spans, None if the environment does not enable traces.

    `OTEL_TRACES_EXPORTER` is otlp (the default with `OTEL_EXPORTER_OTLP_ENDPOINT`), console or none. Other variables of
    OpenTelemetry have the meaning that its SDK defines.

    Raises:
        MissingExtraError: The SDK or the exporter is not installed.
        ConfigError: The exporter is unknown.
    """
    name = environment.get(EXPORTER_VARIABLE, "otlp" if environment.get(ENDPOINT_VARIABLE) else "none")
    if name == "none":
        return None
    try:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ModuleNotFoundError:
        raise MissingExtraError("opentelemetry-sdk", EXTRA) from None
    exporter: SpanExporter
    if name == "console":
        exporter = ConsoleSpanExporter()
    elif name == "otlp":
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ModuleNotFoundError:
            raise MissingExtraError("opentelemetry-exporter-otlp-proto-http", EXTRA) from None
        exporter = OTLPSpanExporter()
    else:
        raise ConfigError(f"{EXPORTER_VARIABLE}={name}: set it to otlp, console or none")
    resource = Resource({"service.name": SERVICE_NAME}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Tracing:
    """ASGI middleware inside `RequestContextMiddleware` that records a span of kind server.

    The span is a child of the caller's span (`traceparent`), if there is one. Its attributes follow the semantic
    conventions for HTTP, without path, query or address.
    """

    def __init__(self, app: ASGIApp, provider: TracerProvider) -> None:
        self.app = app
        self.tracer = provider.get_tracer("recsys.api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, Status, StatusCode

        context = request_context_of(scope)
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in context.headers.items()}
        with self.tracer.start_as_current_span(
            scope["method"],
            context=extract(carrier),
            kind=SpanKind.SERVER,
            # Error messages may contain a user id.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            async def send_and_record(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self.app(scope, receive, send_and_record)
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                span.set_attribute("http.request.method", scope["method"])
                span.set_attribute("recsys.request_id", context.request_id)
                span.set_attribute("recsys.model_version", context.snapshot.recommender.version)
