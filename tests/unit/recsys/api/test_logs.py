"""Lines of the log, as text and as JSON."""

from __future__ import annotations

import json
import logging
import logging.config
from datetime import datetime, timedelta

import pytest

from recsys.api.logs import JsonFormatter, LogFormat, RequestLine, log_config, log_request

LINE = RequestLine("r1", "GET", "/v1/users/{user_id:path}/taste", 200, 1.23456, "shop", "v1", 321)


def test_a_request_is_one_json_object(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="recsys.api.requests"):
        log_request(LINE)
    line = json.loads(JsonFormatter().format(caplog.records[0]))
    time = datetime.fromisoformat(line.pop("time"))
    assert time.utcoffset() == timedelta(0)
    assert line == {
        "level": "info",
        "request_id": "r1",
        "method": "GET",
        "route": "/v1/users/{user_id:path}/taste",
        "status": 200,
        "ms": 1.23,
        "key": "shop",
        "model_version": "v1",
        "bytes": 321,
    }
    assert caplog.records[0].getMessage() == "r1 GET /v1/users/{user_id:path}/taste 200 1.2 ms"


def test_other_lines_have_their_logger_and_stay_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        record = logging.LogRecord("recsys.x", logging.ERROR, __file__, 1, "a %s", ("b",), (type(error), error, None))
    text = JsonFormatter().format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["logger"], line["message"]) == ("error", "recsys.x", "a b")
    assert "ValueError" in line["trace"]


def test_a_level_above_info_writes_no_requests(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="recsys.api.requests"):
        log_request(LINE)
    assert not caplog.records


@pytest.mark.parametrize("log_format", LogFormat)
def test_the_configuration_is_one_that_logging_takes(log_format: LogFormat) -> None:
    config = log_config(log_format)
    # On a copy of the machinery: the real one belongs to pytest.
    formatter = logging.config.DictConfigurator(config).configure_formatter(config["formatters"]["line"])  # type: ignore[attr-defined]
    assert isinstance(formatter, JsonFormatter) == (log_format is LogFormat.JSON)
