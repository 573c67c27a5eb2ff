"""Commands on images: fetch."""

from __future__ import annotations

from typing import Annotated

import typer

from recsys.cli.shared import ProjectPath, Quiet, open_project, show_progress

images = typer.Typer(no_args_is_help=True, help="Images of a project's items.")


@images.command("fetch")
def fetch(
    path: ProjectPath,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Host that may be asked: cdn.example.com, *.example.com, or host:port; repeatable. Needed."),
    ] = None,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Also fetch addresses without encryption.")] = False,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, help="Most requests to one host per second.")] = 4.0,
    connections: Annotated[int, typer.Option(min=1, max=8, help="Most connections to one host at a time.")] = 1,
    max_images: Annotated[int, typer.Option(min=1, help="Most images of this run.")] = 1_000_000,
    max_mb: Annotated[int, typer.Option(min=1, max=32, help="Largest image in MiB.")] = 32,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="Longest silence of a server, in seconds.")] = 20.0,
    image_s: Annotated[float, typer.Option(min=1, help="Longest time for one image, in seconds.")] = 120.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also ask for addresses that had no usable image before.")
    ] = False,
    allow_loopback: Annotated[
        bool, typer.Option("--allow-loopback", help="For tests: also connect to this machine.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Download images that items have on the web, from allowed hosts; the next build uses them.

    Run it again after an interruption: it goes on from where it was.
    """
    from recsys.dataset.fetch import FetchLimits, fetch_images

    limits = FetchLimits(
        hosts=tuple(host or ()),
        allow_http=allow_http,
        allow_loopback=allow_loopback,
        max_bytes=max_mb * 2**20,
        timeout_s=timeout_s,
        image_s=image_s,
        per_second=rate,
        connections=connections,
        max_images=max_images,
    )
    with show_progress(quiet):
        report = fetch_images(open_project(path), limits, retry_failed=retry_failed)
    typer.echo(str(report))
    if report.linked:
        typer.echo(f"next: recsys build {path}")
    if not report.fetched and (report.failed or report.later):
        raise typer.Exit(1)
