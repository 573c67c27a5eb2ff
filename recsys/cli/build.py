"""Commands that train: build and refresh."""

from __future__ import annotations

import typer

from recsys.cli.shared import ProjectPath, Quiet, open_project, show_progress


def build(path: ProjectPath, quiet: Quiet = False) -> None:
    """Train everything on the imported data and make the result the current bundle."""
    from recsys.bundle.store import load_bundle
    from recsys.training.build import build as build_bundle

    project = open_project(path)
    with show_progress(quiet):
        version = build_bundle(project)
    typer.echo(f"built {version}")
    bundle = load_bundle(project.bundles, project.root, version)
    for name, value in bundle.metrics.items():
        typer.echo(f"{name} {value:.4f}")
    for note in bundle.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"next: recsys serve {path}")


def refresh(path: ProjectPath, quiet: Quiet = False) -> None:
    """Add new and changed items to the current bundle, in seconds and without training."""
    from recsys.training.refresh import refresh as refresh_bundle

    with show_progress(quiet):
        done = refresh_bundle(open_project(path))
    typer.echo(f"now {done.version}: {done.added} new items, {done.gone} gone and no longer available")
