"""A small shop served over real HTTP: a bundle fitted on drawn products, and an engine that inverts colors."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import pandas as pd
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image, ImageDraw

from recsys.api.app import create_app
from recsys.api.auth.security import Security
from recsys.api.model_source import Models
from recsys.api.overload.protocol import SheddingProtocol
from recsys.bundle.store import save_bundle
from recsys.config import AlsSettings, ProjectSettings, RestyleSettings, ServiceSettings, StorageSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions
from recsys.dataset.project import Project
from recsys.profiles.style_library import StyleCard
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.style_vectors import embedder_version
from recsys.profiles.text_style import TextStyleMap
from recsys.ranking.recommender import Recommender
from recsys.restyling.renderer import Renderer
from recsys.schema import FloatArray
from recsys.serving.live_store import LiveStore
from recsys.serving.model_host import ModelHost
from recsys.storage.cache import DiskCache
from recsys.training.build import DEFAULT_BLEND, Ingredients, fit
from style.images import Pixels
from style.mask import Mask
from style.transfer.base import Painting, Stylizer
from style.vector import StyleVector
from tests.render_requests import request_for

CATEGORIES = ("chair", "lamp", "vase")
LINK_KEY = "a link key for tests only"


class Negative(Stylizer):
    """Inverts colors once its gate is open."""

    name: ClassVar[str] = "negative"
    version = "negative-1"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        assert self.gate.wait(20)
        return [Painting(np.zeros_like(image), 1 - 2 * image) for image in images]


def _looks() -> FloatArray:
    """Two unit style vectors at right angles: plain and floral."""
    return np.linalg.qr(np.random.default_rng(5).normal(size=(128, 2)))[0].T.astype(np.float32)


def _catalog(folder: Path) -> tuple[pd.DataFrame, FloatArray]:
    """36 products; even ones look plain, odd ones floral. Four have something special."""
    rng = np.random.default_rng(7)
    rows, vectors = [], []
    for index in range(36):
        image = Image.new("RGB", (90, 120), (245, 245, 245))
        ImageDraw.Draw(image).ellipse((20, 30, 70, 90), fill=tuple(rng.integers(20, 200, 3).tolist()))
        image.save(folder / f"{index}.jpg", comment=b"Jane's flat")
        price = float("nan") if index == 5 else 10.0 + index
        rows.append((f"p{index:02}", f"Product {index}", CATEGORIES[index % 3], price, True, f"{index}.jpg"))
        vectors.append(StyleVector.from_values(_looks()[index % 2] + 0.04 * rng.normal(size=128)).values)
    rows[30] = ("AB/12 ü", "With a slash", "lamp", 20.0, True, "30.jpg")
    rows[31] = ("bare", "Without a picture", "vase", 20.0, True, "")
    rows[32] = ("torn", "With a torn picture", "chair", 20.0, True, "torn.jpg")
    rows[33] = ("gone", "Sold out", "chair", 20.0, False, "33.jpg")
    vectors[31] = np.zeros(128, dtype=np.float32)
    (folder / "torn.jpg").write_bytes((folder / "0.jpg").read_bytes()[:300])
    columns = ["item_id", "title", "category", "price", "available", "image"]
    # A catalog's rows are sorted by id, and style vectors go with rows.
    order = sorted(range(len(rows)), key=lambda index: str(rows[index][0]))
    return pd.DataFrame([rows[i] for i in order], columns=columns), np.stack([vectors[i] for i in order])


def _interactions() -> pd.DataFrame:
    """Users u00 .. u19: even ones buy plain things, odd ones floral things, and never all of them."""
    rng = np.random.default_rng(11)
    rows = [
        (f"u{user:02}", f"p{2 * int(item) + user % 2:02}", "purchase", 10.0, 1_700_000_000 + 3600 * user + int(item))
        for user in range(20)
        for item in rng.choice(15, size=6, replace=False)
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "event", "weight", "timestamp"])


@pytest.fixture(scope="session")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Stands before the sample's recommender: here every answer is known by construction, and nothing is embedded."""
    folder = tmp_path_factory.mktemp("shop")
    items, vectors = _catalog(folder)
    catalog = Catalog.from_frame(items)
    styles = tuple(
        StyleCard(name, name.title(), f"{name}.jpg", ("everyday", f"{name} day"), "Nobody", "CC0-1.0")
        for name in ("plain", "floral")
    )
    ingredients = Ingredients(
        items=items,
        catalog=catalog,
        space=StyleSpace.from_vectors(vectors, catalog.category_codes),
        styles=styles,
        style_vectors=_looks(),
        settings=ProjectSettings(als=AlsSettings(factors=8)),
        embedder="drawn",
        image_root=folder,
    )
    interactions = Interactions.from_frame(_interactions(), catalog.ids)
    return Recommender(fit(ingredients, interactions, DEFAULT_BLEND, {}))


@pytest.fixture(scope="session")
def engine() -> Negative:
    return Negative()


@pytest.fixture(scope="session")
def restyler(engine: Negative, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renderer]:
    settings = RestyleSettings(engine=engine.name, size=64, deadline_ms=20_000)
    cache = DiskCache(tmp_path_factory.mktemp("cache"), 10_000_000)
    with Renderer(settings, cache, load_engine=lambda _: engine) as made:
        yield made
        engine.gate.set()


@contextmanager
def serving(app: FastAPI, root_path: str = "") -> Iterator[httpx.Client]:
    """A client of the application, served on a port of its own."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=SheddingProtocol,
        log_config=None,
        access_log=False,
        lifespan="on",
        root_path=root_path,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def serve_app() -> Callable[..., AbstractContextManager[httpx.Client]]:
    """`serving`, for tests that make an application of their own."""
    return serving


Serve = Callable[..., httpx.Client]
OpenLive = Callable[..., LiveStore]


@pytest.fixture(scope="module")
def open_live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLive]:
    """Opens the live data of a new project with such settings of the service; they are closed at the end."""
    with ExitStack() as stack:

        def opened(settings: ServiceSettings | None = None) -> LiveStore:
            project = Project.init(tmp_path_factory.mktemp("live") / "shop", "shop")
            changed = project.settings.model_copy(update={"service": settings or ServiceSettings()})
            return stack.enter_context(LiveStore.open(replace(project, settings=changed)))

        yield opened


@pytest.fixture(scope="module")
def serve(recommender: Recommender, restyler: Renderer, open_live: OpenLive) -> Iterator[Serve]:
    """Starts the shop's service, with other security, recommender or options of `create_app`; it runs till the end."""
    with ExitStack() as stack:

        def start(
            security: Security | None = None,
            served: Recommender | Models | None = None,
            root_path: str = "",
            settings: ServiceSettings | None = None,
            live: LiveStore | None = None,
            **options: Any,
        ) -> httpx.Client:
            security = security or Security(link_key=LINK_KEY)
            live = live or open_live(settings)
            app = create_app(served or recommender, restyler, live, security=security, **options)
            return stack.enter_context(serving(app, root_path))

        yield start


@pytest.fixture(scope="module")
def shop(serve: Serve) -> httpx.Client:
    return serve()


@dataclass(frozen=True)
class Shop:
    """A shop as it is run: a project with a bundle on disk, live data, a host that follows both, and its service."""

    project: Project
    live: LiveStore
    host: ModelHost
    client: httpx.Client


def shop_project(folder: Path, recommender: Recommender) -> Project:
    """A project whose bundles are the drawn shop's, which knows the words plain and floral; the second is current."""
    project = Project.init(folder, "shop")
    for image in recommender.bundle.image_root.glob("*.jpg"):
        shutil.copy(image, project.root)
    settings = recommender.bundle.settings
    bundle = replace(
        recommender.bundle,
        embedder=embedder_version(project.settings.style.backbone),
        text_style=TextStyleMap(("floral", "plain"), _looks()[::-1].copy(), ()),
    )
    for created, diversity in ((1_750_000_000, 0.9), (1_750_000_001, settings.rank.diversity)):
        rank = settings.rank.model_copy(update={"diversity": diversity})
        made = replace(bundle, settings=settings.model_copy(update={"rank": rank}))
        save_bundle(made, project.bundles, created)
    return project


OpenShop = Callable[..., Shop]


@pytest.fixture
def shop_on_disk(recommender: Recommender, tmp_path: Path) -> Project:
    """The shop as `recsys serve` takes it."""
    return shop_project(tmp_path / "shop", recommender)


@pytest.fixture(scope="module")
def open_shop(recommender: Recommender, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenShop]:
    """Opens a `Shop` of its own, with such security, settings and URL of a database; it runs till the end."""
    with ExitStack() as stack:

        def opened(
            security: Security | None = None, settings: ServiceSettings | None = None, database: str = ""
        ) -> Shop:
            project = shop_project(tmp_path_factory.mktemp("shop") / "shop", recommender)
            changed = {
                "service": settings or ServiceSettings(poll_interval_s=0.05),
                "storage": StorageSettings(database=database),
            }
            project = replace(project, settings=project.settings.model_copy(update=changed))
            live = stack.enter_context(LiveStore.open(project))
            host = ModelHost(project.bundles, project.root, live.items, project.settings.service.poll_interval_s)
            return Shop(project, live, host, serve(security, host, live=live))

        yield opened


@pytest.fixture
def client(
    shop: httpx.Client, restyler: Renderer, engine: Negative, recommender: Recommender
) -> Iterator[httpx.Client]:
    """The shop with nothing rendered yet, and an engine at work."""
    for entry in restyler.cache.folder.iterdir():
        entry.unlink()
    yield shop
    if not engine.gate.is_set():
        engine.gate.set()
        # One worker renders in order: with this picture, all that the test began are done.
        photo, style = recommender.bundle.image_root / "35.jpg", recommender.styles.reference("plain")
        restyler.render(request_for(restyler, photo, style, strength=0.999))
