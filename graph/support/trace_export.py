"""The export of traces to OpenTelemetry: off unless the environment names an endpoint."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from graph.support.errors import ConfigError, MissingExtraError
from graph.support.fault_log import without_secrets
from graph.support.logger import log
from graph.support.text import one_line

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


@contextmanager
def exported_traces() -> Iterator[None]:
    """Send all LangChain runs inside the block to the OTLP endpoint that the environment names.

    OpenTelemetry's own variables apply: endpoint, headers, timeout, service name, attributes.

    Raises:
        ConfigError: The protocol is not OTLP over HTTP, or an address is none.
        MissingExtraError: The extra otel is not installed.
    """
    endpoint = _first(_ENDPOINTS)
    if not endpoint or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield
        return
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigError(
            f"the OTLP endpoint {without_secrets(endpoint)!r} is no address: begin it with http:// or "
            "https://, or unset OTEL_EXPORTER_OTLP_ENDPOINT"
        )
    protocol = _first(_PROTOCOLS) or "http/protobuf"
    if protocol != "http/protobuf":
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not supported: traces go by http/protobuf, "
            "to port 4318 of a collector or 6006 of Phoenix"
        )
    try:
        from openinference.instrumentation.langchain import LangChainInstrumentor
        from opentelemetry.exporter.otlp.proto.http import trace_exporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise MissingExtraError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and sending traces needs the extra otel: "
            "pip install 'opencoder[otel]', or unset the variable"
        ) from None
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "opencoder"}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(trace_exporter.OTLPSpanExporter()))
    exporter_log = logging.getLogger(trace_exporter.__name__)
    warn_once = _WarnOnce()
    exporter_log.addFilter(warn_once)
    instrumentor = LangChainInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
        exporter_log.removeFilter(warn_once)


class _WarnOnce(logging.Filter):
    """A filter that turns the log of an exporter into one warning.

    An endpoint that is lost ends no run, and the exporter repeats itself every few seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._warned = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Log the first record as a warning of the project; let none pass."""
        if not self._warned:
            self._warned = True
            reason = one_line(without_secrets(record.getMessage()), 300)
            log.warning("traces may be lost: %s", reason)
        return False


def _first(names: tuple[str, ...]) -> str:
    """Return the value of the first variable that is set; empty if none is."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")
