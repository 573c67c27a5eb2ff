"""The measures of the service run against real servers, at sizes of seconds; no time is asserted."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import orjson
import pytest

from recsys.benchmarks.load import HttpReply, HttpRequest, closed_loop
from recsys.benchmarks.service.child import Server, ServerError, answers, free_port, run_application, run_server
from recsys.benchmarks.service.deadlines import check_original, expect_lists
from recsys.benchmarks.service.events import all_accepted
from recsys.benchmarks.service.results import Bench, Effort, ResultRow
from recsys.benchmarks.service.run import MEASURES, serve_lines
from recsys.benchmarks.service.shops import Served, Shops
from recsys.benchmarks.service.traffic import (
    UNIFORM,
    ZIPF,
    check_version,
    draw_names,
    mixed_requests,
    recommendation_requests,
)
from recsys.bundle.store import current_version, load_bundle
from recsys.dataset.project import Project
from recsys.errors import ConfigError
from recsys.simulation.large_catalog import Size

TINY = Effort(
    seconds=0.4, repeats=1, rate=20, connections=2, swaps=1, slow_swaps=1, in_flight=3, late=2, batches=2, mixed=40
)


@pytest.fixture(scope="module")
def shops(sample_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Shops:
    def copied(path: Path) -> Project:
        shutil.copytree(sample_project.root, path)
        return Project.open(path)

    return Shops(tmp_path_factory.mktemp("shops"), copied, Size(users=300, items=250, events=3_000))


@pytest.fixture(scope="module")
def sample(shops: Shops) -> Served:
    return shops.sample()


@pytest.fixture(scope="module")
def server(sample: Served, tmp_path_factory: pytest.TempPathFactory) -> Server:
    with run_server(sample.project, tmp_path_factory.mktemp("logs") / "server.log") as running:
        yield running  # type: ignore[misc]


def test_both_shops_have_two_versions_that_load_and_are_made_once(shops: Shops) -> None:
    for shop, again in zip(shops.all(), shops.all(), strict=True):
        assert shop.versions == again.versions
        assert shop.users == again.users
        assert len(set(shop.versions)) == 2
        assert current_version(shop.project.bundles) == shop.versions[0]
        first, second = (load_bundle(shop.project.bundles, shop.project.root, version) for version in shop.versions)
        assert first.blend.new_offset != second.blend.new_offset
        assert shop.items == tuple(first.catalog.ids.values)
        shop.activate(shop.versions[1])
        assert current_version(shop.project.bundles) == shop.versions[1]
        shop.activate(shop.versions[0])


def test_the_large_shop_has_photos_styles_and_the_data_it_was_made_of(shops: Shops) -> None:
    shop = shops.large()
    bundle = load_bundle(shop.project.bundles, shop.project.root)
    assert (len(bundle.user_ids), len(bundle.catalog)) == (300, 250)
    assert all(shop.project.resolve_image(image).is_file() for image in bundle.catalog.images[:5])
    assert len(shop.styles) == len(bundle.style_vectors) > 0
    assert len(shop.project.load_items()) == 250
    assert len(shop.project.load_interactions()) == 3_000


def test_names_are_drawn_by_their_law_and_their_seed() -> None:
    names = [f"n{number}" for number in range(100)]
    zipf, uniform = (Counter(islice(draw_names(names, law, 1, "test"), 20_000)) for law in (ZIPF, UNIFORM))
    # 1 / (1 + 1/2 + ... + 1/100) of all draws are of the first.
    assert zipf.most_common(1)[0][1] == pytest.approx(20_000 * 0.1928, rel=0.1)
    assert max(uniform.values()) < 300
    assert list(islice(draw_names(names, ZIPF, 1, "test"), 50)) == list(islice(draw_names(names, ZIPF, 1, "test"), 50))
    assert list(islice(draw_names(names, ZIPF, 1, "test"), 50)) != list(islice(draw_names(names, ZIPF, 2, "test"), 50))


def test_a_mix_asks_for_everything_that_reads(sample: Served) -> None:
    asks = list(islice(mixed_requests(sample, 0), 2_000))
    kinds = Counter(unquote(ask.target).split("?")[0].rsplit("/", 1)[-1] for ask in asks)
    assert 800 < kinds["recommendations"] < 1_600
    assert all(kinds[kind] for kind in ("similar", "taste", "image", "nothing-of-this-name"))
    assert any(ask.method == "POST" for ask in asks)


def test_checks_find_what_is_wrong() -> None:
    ask, entry = (
        HttpRequest("/list"),
        {"item": {"item_id": "a"}, "score": 1.0, "restyled": {"status": "original", "data": "x"}},
    )

    def reply(body: object, **headers: bytes) -> HttpReply:
        return HttpReply(
            200, {name.replace("_", "-").encode(): value for name, value in headers.items()}, orjson.dumps(body)
        )

    listed = {"items": [entry], "model_version": "v1"}
    assert check_version(ask, reply(listed, model_version=b"v1")) is None
    assert check_version(ask, reply(listed, model_version=b"v2")) is not None
    assert check_version(ask, reply({**listed, "items": []}, model_version=b"v1")) is not None
    assert expect_lists({"/list": ["a"]})(ask, reply(listed)) is None
    assert expect_lists({"/list": ["b"]})(ask, reply(listed)) is not None
    painted = {"items": [{**entry, "restyled": {"status": "computed", "data": "x"}}]}
    assert expect_lists({"/list": ["a"]})(ask, reply(painted)) is not None
    assert check_original(ask, reply({}, restyle_status=b"original")) is None
    assert check_original(ask, reply({}, restyle_status=b"cached")) is not None
    assert all_accepted(ask, reply({"results": [{"status": "accepted"}] * 100})) is None
    assert all_accepted(ask, reply({"results": [{"status": "accepted"}] * 99 + [{"status": "duplicate"}]})) is not None


def test_a_server_answers_as_the_checks_want_and_has_memory(server: Server, sample: Served) -> None:
    load = closed_loop(server.port, islice(recommendation_requests(sample, ZIPF, 0), 10), 2, check=check_version)
    assert load.counts == {200: 10}
    assert load.failures == 0
    statuses = closed_loop(server.port, islice(mixed_requests(sample, 0), 60), 2).counts
    assert set(statuses) <= {200, 404, 422}
    assert server.resident_mb() > 50


def test_a_server_that_cannot_start_says_what_it_printed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(ServerError, match='"nothing" not found'), run_application("bare_app:nothing", "/", log):
        pass
    with pytest.raises(ServerError, match="checkout"), run_application("nothing:app", "/", log):
        pass


def test_a_free_port_is_free() -> None:
    assert not answers(free_port(), "/")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_measure_gives_its_rows(shops: Shops, tmp_path: Path) -> None:
    _expect_rows(shops, tmp_path, "drain")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"drain"}))
def test_every_measure_gives_its_rows(shops: Shops, tmp_path: Path, name: str) -> None:
    _expect_rows(shops, tmp_path, name)


def _expect_rows(shops: Shops, folder: Path, name: str) -> None:
    head, *rows = serve_lines(Bench(shops, folder / "logs", TINY), [name])
    assert "load average" in head
    measured = rows[3:]
    assert measured
    assert all(row.count("|") == 5 for row in measured)
    assert not any("not measured" in row for row in measured)


def test_an_unknown_promise_is_named(shops: Shops, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'speed': use one of recommendations"):
        list(serve_lines(Bench(shops, tmp_path), ["speed"]))


def test_a_figure_is_a_row() -> None:
    assert str(ResultRow("drain", "all", "50", "none")) == "| drain | all | 50 | none |"
