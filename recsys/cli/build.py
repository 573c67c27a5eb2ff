"""Commands that train: build and refresh."""

from __future__ import annotations

import typer

from recsys.cli.shared import ProjectPath, open_project


def build(path: ProjectPath) -> None:
    """Train everything on the imported data and make it what is served."""
    from recsys.bundle.store import load_bundle
    from recsys.training.build import build as build_bundle

    project = open_project(path)
    version = build_bundle(project)
    typer.echo(f"built {version}")
    for name, value in load_bundle(project.bundles, project.root, version).metrics.items():
        typer.echo(f"{name} {value:.4f}")
    typer.echo(f"next: recsys serve {path}")


def refresh(path: ProjectPath) -> None:
    """Take in new and changed items since the last build, in seconds and without training."""
    from recsys.training.refresh import refresh as refresh_bundle

    done = refresh_bundle(open_project(path))
    typer.echo(f"now {done.version}: {done.added} new items, {done.gone} gone and no longer available")
