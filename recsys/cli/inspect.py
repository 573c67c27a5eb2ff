"""Commands that check and list: rights, audit, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.shared import ProjectPath, open_project


def rights(
    path: ProjectPath,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the lines that credit artists.")] = False,
) -> None:
    """List styles with artist and license, and if images may be restyled toward them here."""
    from recsys.reports.rights import ledger, ledger_json, print_ledger

    rows = ledger(open_project(path))
    if as_json:
        typer.echo(ledger_json(rows))
    else:
        print_ledger(rows)


def audit(
    path: ProjectPath,
    user: Annotated[str | None, typer.Option(help="Only images for this user.")] = None,
    style: Annotated[str | None, typer.Option(help="Only images toward this style reference.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of newest images to show.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List the restyled images that were shown, with user, style target and license."""
    from recsys.reports.audit import entry_json, load_audit, print_audit

    entries = load_audit(open_project(path), user, style, limit)
    if as_json:
        for entry in entries:
            typer.echo(entry_json(entry))
    else:
        print_audit(entries)


def doctor(
    path: Annotated[Path | None, typer.Argument(metavar="[PROJECT]", help="Project to check, too.")] = None,
) -> None:
    """Check the installation and a project; exit code 1 if something will not work."""
    from recsys.doctor import Level, diagnose

    colors = {Level.OK: typer.colors.GREEN, Level.WARN: typer.colors.YELLOW, Level.FAIL: typer.colors.RED}
    failed = False
    for finding in diagnose(path):
        failed |= finding.level is Level.FAIL
        cure = f"  -> {finding.cure}" if finding.cure else ""
        mark = typer.style(f"{finding.level.value:<5}", fg=colors[finding.level])
        typer.echo(f"{mark}{finding.subject:<22} {finding.text}{cure}")
    raise typer.Exit(1 if failed else 0)
