"""Checks of an installation and of a project: what is well, what is not, and the cure."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.errors import ConfigError, DataError, RecsysError
from style.errors import StyleError
from style.transfer.engine_names import IMAGE_ENGINE_NAMES, trained_names

# All else is imported by the check that needs it: a doctor that a broken package keeps from starting helps nobody.
if TYPE_CHECKING:
    from recsys.config import ProjectSettings
    from recsys.dataset.project import Project
    from style.embedding import StyleEmbedder
    from style.transfer.base import Stylizer
    from style.transfer.style_images import StyleImages

DISTRIBUTION = "style-recsys"
OLDEST_PYTHON = (3, 11)
GIGABYTE = 10**9
LOW_DISK, TOO_LOW_DISK = 2.0, 0.2
"""Free gigabytes below which to warn, and below which a build may fail."""


class Level(StrEnum):
    """Severity of a finding. FAIL: something will not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; `cure` is empty where all is well or the text itself says what to do."""

    level: Level
    subject: str
    text: str
    cure: str = ""


def diagnose(path: Path | None = None) -> Iterator[Finding]:
    """Check the installation and, if given, the project folder; findings come as they are made.

    Raises nothing for faults that it is there to find.
    """
    yield _python()
    yield from _packages()
    torch = _try("torch build", _torch, "install builds that match: torch 2.13 goes with torchvision 0.28")
    yield torch
    if torch.level is Level.OK:
        yield from _weights()
    if path is not None:
        yield from _project(path)
    yield disk(shutil.disk_usage(Path.cwd() if path is None or not path.exists() else path).free / GIGABYTE)


def _try(subject: str, check: Callable[[], str], cure: str = "") -> Finding:
    try:
        return Finding(Level.OK, subject, check())
    except (RecsysError, StyleError, OSError, ImportError, RuntimeError) as error:
        return Finding(Level.FAIL, subject, str(error), cure)


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding(Level.FAIL, "python", text, f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    return Finding(Level.OK, "python", text)


def _packages() -> Iterator[Finding]:
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        text = f"{DISTRIBUTION} runs without being installed, so its requirements cannot be checked"
        yield Finding(Level.WARN, "packages", text, "`pip install -e .` in the source folder")
        return
    # Behind a semicolon stands the extra that needs the package; extras are optional.
    yield from (package(requirement) for requirement in requirements if ";" not in requirement)


def package(requirement: str) -> Finding:
    """Check that a distribution is installed and new enough; `requirement` is like `numpy>=1.26` or `torch<3,>=2.1`."""
    name = re.split(r"[<>=!~ \[]", requirement, maxsplit=1)[0]
    oldest = re.search(r">=\s*([\d.]+)", requirement)
    cure = f"pip install '{requirement}'"
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(Level.FAIL, name, "is not installed", cure)
    if oldest and _numbers(found) < _numbers(oldest[1]):
        return Finding(Level.FAIL, name, f"{found} is older than {oldest[1]}", cure)
    return Finding(Level.OK, name, found)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _torch() -> str:
    from style.torchvision_ops import import_torchvision

    return f"{metadata.version('torch')}, torchvision {import_torchvision().__version__}"


def _weights() -> Iterator[Finding]:
    from style.embedding import EMBEDDING_SHA256, StyleEmbedder
    from style.transfer.registry import ENGINES, IMAGE_ENGINES

    for backbone in EMBEDDING_SHA256:
        yield _try(f"style space {backbone}", partial(_space, partial(StyleEmbedder.load, backbone)))
    for engine, load in ENGINES.items():
        yield _try(f"engine {engine}", partial(_version, load))
    for engine, load_with in IMAGE_ENGINES.items():
        yield _try(f"engine {engine}", partial(_version, partial(_with_a_picture, load_with)))


def _space(load: Callable[[], StyleEmbedder]) -> str:
    embedder = load()
    return f"{embedder.version}, run by {embedder.network_statistics.name}"


def _version(load: Callable[[], Stylizer]) -> str:
    return load().version


def _with_a_picture(load: Callable[[StyleImages], Stylizer]) -> Stylizer:
    """An engine with something to paint from: what it needs beside that is what is checked."""
    import numpy as np

    from style.transfer.style_images import StyleImage, StyleImages
    from style.vector import DIMENSIONS, StyleVector

    grey = np.full((64, 64, 3), 0.5, dtype=np.float32)
    return load(StyleImages([StyleImage("grey", StyleVector.from_values(np.ones(DIMENSIONS)), grey)]))


def _project(path: Path) -> Iterator[Finding]:
    try:
        from recsys.dataset.project import Project

        project = Project.open(path)
    except (RecsysError, ImportError) as error:
        yield Finding(Level.FAIL, "project", str(error))
        return
    yield Finding(Level.OK, "project", f"{project.settings.name} in {project.root}; settings are valid")
    yield from settings_in_effect(project.settings, os.environ)
    yield _try("style.backbone", lambda: _backbone(project))
    yield _try("restyle.engine", lambda: _engine(project))
    for name in trained_names(project.engines):
        yield _try(f"engine {name}", partial(_check_trained, project.engines / name))
    yield _try("items", lambda: f"{len(project.load_items()):,}")
    yield _try("interactions", lambda: f"{len(project.load_interactions()):,}")
    yield _try("pictures", lambda: _pictures(project), "put them back, or import the items again")
    yield _try("bundle", lambda: _bundle(project))
    yield from _service(project)


def _service(project: Project) -> Iterator[Finding]:
    """What a running service needs beside the project's files."""
    from recsys.storage.health import check_database, check_redis

    yield _try("database", lambda: check_database(project.database_url))
    redis = project.settings.storage.redis
    if redis:
        yield _try("redis", lambda: check_redis(redis))
    yield from service_keys(os.environ)


def service_keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the keys of `environment` can be used, and count them, without showing them."""
    from recsys.api.auth.security import ADMIN_KEYS_VARIABLE, API_KEYS_VARIABLE, LINK_KEY_VARIABLE, Security

    def count() -> str:
        Security.from_environment(environment)
        held = [
            f"{len([key for key in environment.get(variable, '').split(',') if key.strip()])} in {variable}"
            for variable in (API_KEYS_VARIABLE, ADMIN_KEYS_VARIABLE)
        ]
        return ", ".join(held)

    keys = _try("API keys", count)
    if keys.level is Level.OK and not environment.keys() & {API_KEYS_VARIABLE, ADMIN_KEYS_VARIABLE}:
        text = "none in the environment: unless the database has some, anybody may ask"
        keys = Finding(Level.WARN, "API keys", text, f"set {API_KEYS_VARIABLE} before others can reach the service")
    yield keys
    kept = (
        "in the environment" if LINK_KEY_VARIABLE in environment else "kept in the project's folder by `recsys serve`"
    )
    yield Finding(Level.OK, "link key", kept)


def settings_in_effect(settings: ProjectSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Each section's settings with the values that count; those that the environment gives are marked with *.

    Passwords in URLs are masked.
    """
    from recsys.config import ENVIRONMENT_PREFIX, find_overrides

    given = find_overrides(environment)
    sections: dict[str, dict[str, object]] = {"": {}}
    for name, value in settings.model_dump(mode="json").items():
        if isinstance(value, dict):
            sections[name] = value
        else:
            sections[""][name] = value
    for section, values in sections.items():
        marked = [f"{key}{'*' * ((section, key) in given)}={_shown(value)}" for key, value in values.items()]
        yield Finding(Level.OK, f"settings {section}".strip(), ", ".join(marked))
    if given:
        yield Finding(Level.OK, "environment", f"settings marked with * come from {ENVIRONMENT_PREFIX}... variables")


def _shown(value: object) -> str:
    return mask_password(value) if isinstance(value, str) else str(value)


def mask_password(text: str) -> str:
    """Replace the password of a URL by ***, wherever it is; other text stays."""
    text = re.sub(r"(?<=://)([^:/?#]*):.*@", r"\1:***@", text)
    return re.sub(r"(?i)([?&][^=&]*password=)[^&]*", r"\1***", text)


def _backbone(project: Project) -> str:
    from style.embedding import EMBEDDING_SHA256

    return _one_of(project.settings.style.backbone, EMBEDDING_SHA256)


def _engine(project: Project) -> str:
    engine = _one_of(project.settings.restyle.engine, project.engine_names)
    if engine not in IMAGE_ENGINE_NAMES:
        return engine
    from style.library import read_library

    count = len(read_library(project.styles))
    if not count:
        raise ConfigError(
            f"{engine!r} paints from pictures of styles, and {project.styles} has none: add a styles.csv with some, "
            "or choose another engine"
        )
    return f"{engine}, from {count} pictures of styles"


def _check_trained(folder: Path) -> str:
    from style.transfer.trained import load_trained

    engine = load_trained(folder)
    return f"{engine.version}, paints {engine.follows} styles, trained for this project"


def _one_of(value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise ConfigError(f"{value!r} is unknown: set it to one of {', '.join(known)}")
    return value


def _pictures(project: Project) -> str:
    from recsys.schema import IMAGE

    images = [str(image) for image in project.load_items()[IMAGE] if image]
    missing = [image for image in images if not project.resolve_image(image).is_file()]
    if missing:
        raise DataError(f"{len(missing):,} of {len(images):,} are not where the catalog says, such as {missing[0]}")
    return f"{len(images):,} files in place"


def _bundle(project: Project) -> str:
    from recsys.bundle.store import load_bundle

    bundle = load_bundle(project.bundles, project.root)
    return f"{bundle.version}, every hash right; {len(bundle.user_ids):,} users, {len(bundle.catalog):,} items"


def disk(free: float) -> Finding:
    """Check that `free` gigabytes are enough to build and to cache images."""
    if free < TOO_LOW_DISK:
        return Finding(Level.FAIL, "disk", f"{free:.1f} GB free", "make room: builds may fail")
    if free < LOW_DISK:
        return Finding(Level.WARN, "disk", f"{free:.1f} GB free", "make room, or lower restyle.cache_mb")
    return Finding(Level.OK, "disk", f"{free:.1f} GB free")
