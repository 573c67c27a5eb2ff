"""Check an installation and a project; findings have a level, a text and a cure."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.errors import ConfigError, DataError, RecsysError
from style.errors import StyleError
from style.transfer.engine_names import IMAGE_ENGINE_NAMES, trained_names

# Other modules are imported by the check that needs them, so that a broken package cannot keep this one from starting.
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
"""Free gigabytes below which there is a warning, and below which a build may fail."""


class Level(StrEnum):
    """Severity of a finding. FAIL: something will not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; `cure` is empty if there is no problem, or if the text has the cure."""

    level: Level
    subject: str
    text: str
    cure: str = ""


def diagnose(path: Path | None = None) -> Iterator[Finding]:
    """Check the installation and, if given, the project folder; yield each finding at once.

    Never raises for problems that it is meant to find.
    """
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        cure = f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer"
        yield Finding(Level.FAIL, "python", python, cure)
    else:
        yield Finding(Level.OK, "python", python)
    yield from _check_packages()
    torch = _run("torch build", _describe_torch, "install builds that match: torch 2.13 goes with torchvision 0.28")
    yield torch
    if torch.level is Level.OK:
        yield from _check_weights()
    if path is not None:
        yield from _check_project(path)
    yield check_disk(shutil.disk_usage(Path.cwd() if path is None or not path.exists() else path).free / GIGABYTE)


def _run(subject: str, check: Callable[[], str], cure: str = "") -> Finding:
    try:
        return Finding(Level.OK, subject, check())
    except (RecsysError, StyleError, OSError, ImportError, RuntimeError) as error:
        return Finding(Level.FAIL, subject, str(error), cure)


def _check_packages() -> Iterator[Finding]:
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        text = f"{DISTRIBUTION} is not installed, so its requirements cannot be checked"
        yield Finding(Level.WARN, "packages", text, "`pip install -e .` in the source folder")
        return
    # After a semicolon follows the extra that needs the package; extras are optional.
    yield from (check_package(requirement) for requirement in requirements if ";" not in requirement)


def check_package(requirement: str) -> Finding:
    """Check that a distribution is installed and new enough: `numpy>=1.26` or `torch<3,>=2.1`."""
    name = re.split(r"[<>=!~ \[]", requirement, maxsplit=1)[0]
    oldest = re.search(r">=\s*([\d.]+)", requirement)
    cure = f"pip install '{requirement}'"
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(Level.FAIL, name, "is not installed", cure)
    if oldest and _parse_version(installed) < _parse_version(oldest[1]):
        return Finding(Level.FAIL, name, f"{installed} is older than {oldest[1]}", cure)
    return Finding(Level.OK, name, installed)


def _parse_version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _describe_torch() -> str:
    from style.torchvision_ops import import_torchvision

    return f"{metadata.version('torch')}, torchvision {import_torchvision().__version__}"


def _check_weights() -> Iterator[Finding]:
    from style.embedding import EMBEDDING_SHA256, StyleEmbedder
    from style.transfer.registry import ENGINES, IMAGE_ENGINES

    for backbone in EMBEDDING_SHA256:
        yield _run(f"style space {backbone}", partial(_describe_space, partial(StyleEmbedder.load, backbone)))
    for engine, load in ENGINES.items():
        yield _run(f"engine {engine}", partial(_engine_version, load))
    for engine, load_with in IMAGE_ENGINES.items():
        yield _run(f"engine {engine}", partial(_engine_version, partial(_load_with_gray_image, load_with)))


def _describe_space(load: Callable[[], StyleEmbedder]) -> str:
    embedder = load()
    return f"{embedder.version}, run by {embedder.network_statistics.name}"


def _engine_version(load: Callable[[], Stylizer]) -> str:
    return load().version


def _load_with_gray_image(load: Callable[[StyleImages], Stylizer]) -> Stylizer:
    """Load an engine with one image to paint from, so that its other requirements are checked."""
    import numpy as np

    from style.transfer.style_images import StyleImage, StyleImages
    from style.vector import DIMENSIONS, StyleVector

    grey = np.full((64, 64, 3), 0.5, dtype=np.float32)
    return load(StyleImages([StyleImage("grey", StyleVector.from_values(np.ones(DIMENSIONS)), grey)]))


def _check_project(path: Path) -> Iterator[Finding]:
    try:
        from recsys.dataset.project import Project

        project = Project.open(path)
    except (RecsysError, ImportError) as error:
        yield Finding(Level.FAIL, "project", str(error))
        return
    yield Finding(Level.OK, "project", f"{project.settings.name} in {project.root}; settings are valid")
    yield from settings_in_effect(project.settings, os.environ)
    yield _run("style.backbone", lambda: _describe_backbone(project))
    yield _run("restyle.engine", lambda: _describe_engine(project))
    for name in trained_names(project.engines):
        yield _run(f"engine {name}", partial(_describe_trained_engine, project.engines / name))
    yield _run("items", lambda: f"{len(project.load_items()):,}")
    yield _run("interactions", lambda: f"{len(project.load_interactions()):,}")
    images = _run("images", lambda: _describe_images(project), "put them back, or import the items again")
    # An image that is missing costs its own item's style, nothing else.
    yield replace(images, level=Level.WARN) if images.level is Level.FAIL else images
    yield _run("bundle", lambda: _describe_bundle(project))
    from recsys.storage.health import check_database, check_redis

    yield _run("database", lambda: check_database(project.database_url))
    redis = project.settings.storage.redis
    if redis:
        yield _run("redis", lambda: check_redis(redis))
    yield from check_keys(os.environ)


def check_keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the keys of `environment` are usable, and count them; findings never contain a key."""
    from recsys.api.auth.security import ADMIN_KEYS_VARIABLE, API_KEYS_VARIABLE, LINK_KEY_VARIABLE, Security

    def count() -> str:
        Security.from_environment(environment)
        return ", ".join(
            f"{len([key for key in environment.get(variable, '').split(',') if key.strip()])} in {variable}"
            for variable in (API_KEYS_VARIABLE, ADMIN_KEYS_VARIABLE)
        )

    keys = _run("API keys", count)
    if keys.level is Level.OK and not environment.keys() & {API_KEYS_VARIABLE, ADMIN_KEYS_VARIABLE}:
        text = "none in the environment: unless the database has some, the service is open to all"
        keys = Finding(Level.WARN, "API keys", text, f"set {API_KEYS_VARIABLE} before others can reach the service")
    yield keys
    in_environment = LINK_KEY_VARIABLE in environment
    text = "in the environment" if in_environment else "stored in the project's folder by `recsys serve`"
    yield Finding(Level.OK, "link key", text)


def settings_in_effect(settings: ProjectSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the settings of each section; those that the environment overrides are marked with *.

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
        texts = ((key, mask_password(value) if isinstance(value, str) else str(value)) for key, value in values.items())
        marked = [f"{key}{'*' * ((section, key) in given)}={text}" for key, text in texts]
        yield Finding(Level.OK, f"settings {section}".strip(), ", ".join(marked))
    if given:
        yield Finding(Level.OK, "environment", f"settings marked with * come from {ENVIRONMENT_PREFIX}... variables")


def mask_password(text: str) -> str:
    """Replace the password in a URL by ***, in both places where it may be; leave other text unchanged."""
    text = re.sub(r"(?<=://)([^:/?#]*):.*@", r"\1:***@", text)
    return re.sub(r"(?i)([?&][^=&]*password=)[^&]*", r"\1***", text)


def _describe_backbone(project: Project) -> str:
    from style.embedding import EMBEDDING_SHA256

    return _check_choice(project.settings.style.backbone, EMBEDDING_SHA256)


def _describe_engine(project: Project) -> str:
    engine = _check_choice(project.settings.restyle.engine, project.engine_names)
    if engine not in IMAGE_ENGINE_NAMES:
        return engine
    from style.library import read_library

    count = len(read_library(project.styles))
    if not count:
        raise ConfigError(
            f"{engine!r} paints from style references, and {project.styles} has none: add a styles.csv with some, "
            "or choose another engine"
        )
    return f"{engine}, from {count} style references"


def _describe_trained_engine(folder: Path) -> str:
    from style.transfer.trained import load_trained

    engine = load_trained(folder)
    return f"{engine.version}, paints {engine.follows} styles, trained for this project"


def _check_choice(value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise ConfigError(f"{value!r} is unknown: set it to one of {', '.join(known)}")
    return value


def _describe_images(project: Project) -> str:
    from recsys.schema import IMAGE

    images = [str(image) for image in project.load_items()[IMAGE] if image]
    missing = [image for image in images if not project.resolve_image(image).is_file()]
    if missing:
        raise DataError(f"{len(missing):,} of {len(images):,} are missing at their paths, such as {missing[0]}")
    return f"{len(images):,} files in place"


def _describe_bundle(project: Project) -> str:
    from recsys.bundle.store import load_bundle

    bundle = load_bundle(project.bundles, project.root)
    return f"{bundle.version}, all hashes match; {len(bundle.user_ids):,} users, {len(bundle.catalog):,} items"


def check_disk(free: float) -> Finding:
    """Check that `free` gigabytes are enough for builds and cached images."""
    if free < TOO_LOW_DISK:
        return Finding(Level.FAIL, "disk", f"{free:.1f} GB free", "free some space: builds may fail")
    if free < LOW_DISK:
        return Finding(Level.WARN, "disk", f"{free:.1f} GB free", "free some space, or lower restyle.cache_mb")
    return Finding(Level.OK, "disk", f"{free:.1f} GB free")
