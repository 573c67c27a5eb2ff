"""Metrics: what is counted, how many labels there can be, and several workers as one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from recsys.api.metrics import Metrics
from recsys.restyling.render_result import RestyleStatus

WORKER = """
import sys
from recsys.api.metrics import Metrics, metrics_directory
metrics = Metrics(lambda: "v1", metrics_directory())
metrics.watch_gauge("queue", "A queue.", lambda: 5)
metrics.count_answer("GET", "/x", 200, 0.003)
metrics.sample()
if sys.argv[1] == "last":
    print(metrics.exposition().decode())
"""


def numbers(text: str) -> dict[tuple[str, ...], float]:
    """By name and values of labels, in the order of the labels' names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_answers_refusals_and_pictures_are_counted() -> None:
    metrics = Metrics(lambda: "v7")
    metrics.count_answer("GET", "/v1/styles", 200, 0.004)
    metrics.count_answer("GET", "/v1/styles", 200, 0.3)
    metrics.count_rejection("overloaded")
    metrics.count_image(RestyleStatus.CACHED, settled=True)
    metrics.count_image(RestyleStatus.ORIGINAL, settled=False)
    found = numbers(metrics.exposition().decode())
    assert found["recsys_http_requests_total", "GET", "/v1/styles", "200"] == 2
    assert found["recsys_http_request_seconds_bucket", "0.005", "/v1/styles"] == 1
    assert found["recsys_http_request_seconds_count", "/v1/styles"] == 2
    assert found["recsys_rejections_total", "overloaded"] == 1
    assert found["recsys_images_total", "cached"] == found["recsys_images_total", "original"] == 1
    assert found["recsys_deadline_fallbacks_total",] == 1
    assert found["recsys_model_info", "v7"] == 1


def test_methods_that_nobody_knows_share_a_label() -> None:
    metrics = Metrics(lambda: "v1")
    for number in range(100):
        metrics.count_answer(f"M{number}", "-", 405, 0.001)
    found = numbers(metrics.exposition().decode())
    assert found["recsys_http_requests_total", "other", "-", "405"] == 100
    assert sum(name[0] == "recsys_http_requests_total" for name in found) == 1


def test_what_others_count_is_read_when_asked() -> None:
    metrics = Metrics(lambda: "v1")
    swaps, queue = [0], [3]
    metrics.watch_counter("recsys_model_swaps", "Swaps.", lambda: swaps[0])
    metrics.watch_gauge("recsys_queue", "A queue.", lambda: queue[0])
    for swapped, waiting in ((2, 5), (2, 0), (7, 1)):
        swaps[0], queue[0] = swapped, waiting
        found = numbers(metrics.exposition().decode())
        assert (found["recsys_model_swaps_total",], found["recsys_queue",]) == (swapped, waiting)


def test_only_the_present_version_is_told() -> None:
    versions = ["v1"]
    metrics = Metrics(lambda: versions[-1])
    metrics.exposition()
    versions.append("v2")
    found = numbers(metrics.exposition().decode())
    assert [name[1] for name in found if name[0] == "recsys_model_info"] == ["v2"]


def test_workers_are_added_up_and_dead_ones_no_longer_queue(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for name in ("first", "last"):
        done = subprocess.run(
            [sys.executable, "-c", WORKER, name], env=environment, capture_output=True, text=True, check=True
        )
    found = numbers(done.stdout)
    assert found["recsys_http_requests_total", "GET", "/x", "200"] == 2
    assert found["recsys_http_request_seconds_count", "/x"] == 2
    assert found["queue",] == 5
    assert found["recsys_model_info", "v1"] == 1
