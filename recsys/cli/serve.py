"""Commands that show and serve: page, serve, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.shared import ProjectPath, Quiet, choose, open_project, show_progress


def page(
    path: ProjectPath,
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    users: Annotated[
        list[str] | None, typer.Option(help="User to show; repeatable. Default: five users of different tastes.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write one HTML page: users, their tastes, and their recommendations before and after restyling."""
    from recsys.demo import SIMULATED_NOTE, is_simulated
    from recsys.reports.page import write_page
    from recsys.schema import UserId

    project = open_project(path)
    note = SIMULATED_NOTE if is_simulated(project) else ""
    with show_progress(quiet):
        write_page(project, out, users=[UserId(user) for user in users or []], note=note)
    typer.echo(f"wrote {out}")


def serve(
    path: ProjectPath,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at.")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: service.workers in recsys.toml.")
    ] = None,
    log_format: Annotated[str, typer.Option(help="Lines of the log: text or json.")] = "text",
    forwarded_allow_ips: Annotated[
        str, typer.Option(help="Proxies whose X-Forwarded-For is believed, separated by commas; * for all.")
    ] = "127.0.0.1,::1",
    root_path: Annotated[str, typer.Option(help="Prefix under which a proxy has mounted the service.")] = "",
    is_open: Annotated[
        bool, typer.Option("--open", help="Serve other machines without keys. Everybody can then read and write.")
    ] = False,
) -> None:
    """Serve recommendations and restyled images over HTTP; SIGTERM lets requests in flight finish."""
    from recsys.api.logs import LogFormat
    from recsys.api.server import serve as serve_project
    from recsys.bundle.store import current_version
    from recsys.bundle.versions import versions

    project = open_project(path)
    if not versions(project.bundles):
        # Nothing was built: say so. A damaged pointer is no reason to stop, as the newest good bundle is served.
        current_version(project.bundles)
    typer.echo(f"serving {project.settings.name}; try http://{host}:{port}{root_path}/docs")
    serve_project(
        project,
        host=host,
        port=port,
        workers=workers or project.settings.service.workers,
        log_format=choose(LogFormat, log_format, "--log-format"),
        forwarded_allow_ips=forwarded_allow_ips,
        root_path=root_path,
        is_open=is_open,
    )


def demo(
    out: Annotated[Path, typer.Option(help="Folder to create.")] = Path("demo"),
    port_hint: Annotated[int, typer.Option(help="Port that the last line of the output names.")] = 8000,
    quiet: Quiet = False,
) -> None:
    """Build the sample shop, recommend to a few users, and write a page to look at."""
    from recsys.demo import run_demo
    from recsys.ranking.request import Request
    from recsys.reports.terminal import print_answer

    with show_progress(quiet):
        shown = run_demo(out, typer.echo)
    for user in shown.users:
        typer.secho(f"\n{user}", bold=True)
        print_answer(shown.recommender, shown.recommender.recommend(Request(user_id=user, limit=5)))
    typer.echo(f"\nlook at   {shown.page}")
    typer.echo(f"serve it  recsys serve {out / 'shop'} --port {port_hint}")
