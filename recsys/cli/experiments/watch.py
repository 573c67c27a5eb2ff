"""Command `recsys experiment watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.experiments.logs import load_variety, open_logs
from recsys.cli.shared import ProjectPath, open_project


def watch(
    path: ProjectPath,
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="Experiment to check. Default: all that are running.")
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Also send a digest of all checked experiments, once per day (UTC).")
    ] = False,
    exposures: Annotated[Path | None, typer.Option(help="Log of exposures; needs KEY and --events.")] = None,
    events: Annotated[Path | None, typer.Option(help="Log of events. Default of both: the live data.")] = None,
    feedback: Annotated[Path | None, typer.Option(help="Log of ratings of restyled images.")] = None,
) -> None:
    """Check running experiments for harm and a wrong split, and send each alarm once; for a timer such as cron.

    Without harm and with a sound split, at most 5 % of experiments ever raise an alarm, however often they are checked.
    Exit with 1 if an experiment could not be checked or a message was not accepted; the next check tries again.
    """
    from recsys.alarms.delivery import open_channels
    from recsys.alarms.messages import Message, alarm_message, digest_message
    from recsys.alarms.outbox import Outbox
    from recsys.clock import now
    from recsys.errors import RecsysError
    from recsys.experiments.analysis.alarms import find_alarms
    from recsys.experiments.analysis.analyze import analyze
    from recsys.experiments.analysis.log_health import declared_metrics
    from recsys.experiments.design.definition import Status
    from recsys.experiments.design.files import find_file, load_experiment
    from recsys.experiments.design.registry import Registry

    if (exposures is None) != (events is None) or (exposures is not None and key is None):
        raise typer.BadParameter("--exposures and --events go together, and need KEY")
    if feedback is not None and exposures is None:
        raise typer.BadParameter("--feedback needs --exposures and --events")
    project = open_project(path)
    channels = open_channels(project.settings.alarms)
    problems: list[str] = []
    if key is not None:
        chosen = [load_experiment(find_file(project.experiments, key))]
    else:
        registry = Registry(project.experiments)
        problems += registry.problems.values()
        chosen = [one for one in registry.experiments.values() if one.status is Status.RUNNING]
    messages: list[Message] = []
    analyses = []
    for one in chosen:
        at = now()
        try:
            if one.status is not Status.RUNNING:
                raise typer.BadParameter(f"{one.key} is {one.status}; only a running experiment is watched")
            with open_logs(project, one.unit, exposures, events, feedback) as logs:
                variety = load_variety(project, declared_metrics(one), None)
                alarms = find_alarms(one, logs, at, diversity=variety)
                if digest:
                    analyses.append(analyze(one, logs, at, diversity=variety))
        except RecsysError as error:
            # One experiment without logs must not hide the harm of another one.
            problems.append(f"{one.key}: {error}")
            continue
        typer.echo(f"{one.key}: " + ("no alarm" if not alarms else f"{len(alarms)} alarms"))
        for alarm in alarms:
            typer.echo(f"  {alarm.words}")
            messages.append(alarm_message(alarm))
    if digest:
        messages.append(digest_message(analyses, now(), problems))
        typer.echo(messages[-1].text, nl=False)
    if channels:
        outbox = Outbox(project.live / "alarms")
        for message in outbox.deliver(messages, channels, now()):
            typer.echo(f"sent: {message.subject} ({message.id})")
        problems += outbox.failures
    elif messages:
        typer.echo("nothing is sent: [alarms] in recsys.toml names neither a webhook nor a command")
    for problem in problems:
        typer.secho(f"error: {problem}", err=True, fg=typer.colors.RED)
    raise typer.Exit(1 if problems else 0)
