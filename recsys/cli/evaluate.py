"""Commands that measure and tune: evaluate, tune."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.shared import FormatName, ProjectPath, Quiet, choose, open_project, show_progress

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.dataset.splits import SplitMethod


def evaluate(
    path: Annotated[
        Path | None, typer.Argument(metavar="PROJECT", help="Project folder, or --train and --test.")
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Without a project: train file of a published split.")] = None,
    test: Annotated[Path | None, typer.Option(help="Without a project: test file of that split.")] = None,
    file_format: FormatName = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="time, leave-last, random, strong, cold-items or predefined. "
            "Default: what came with the data, else time."
        ),
    ] = None,
    share: Annotated[float | None, typer.Option(help="Share held out, between 0 and 1. Default: 0.2")] = None,
    events: Annotated[
        int | None, typer.Option(min=1, help="Events held out per user by --split leave-last. Default: 1")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Model, or all; repeatable. Default: popularity, trend, als, blend."),
    ] = None,
    baseline: Annotated[str, typer.Option(help="Model that the others are tested against.")] = "popularity",
    controls: Annotated[
        bool, typer.Option("--controls", help="Also the blend with shuffled or random style vectors, or only colors.")
    ] = False,
    sampled: Annotated[
        int | None, typer.Option(min=1, help="Rank against so many random items, for comparison with such tables.")
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Length of the lists.")] = 10,
    table: Annotated[str | None, typer.Option(help="Print all results as text, markdown, csv or json.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write all results to a file, in the format of --table or of its suffix.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Compare models on held-out events, ranking the whole catalog: recall, NDCG and more, with tests."""
    from recsys.dataset.splits import SplitMethod
    from recsys.evaluation.report import TEST_SHARE, compare_project
    from recsys.evaluation.tables import TableFormat, checked_output, render
    from recsys.reports.comparison import print_comparison
    from recsys.storage.artifacts import write_text

    method = None if split is None else choose(SplitMethod, split, "--split")
    if share is not None and not 0.0 < share < 1.0:
        raise typer.BadParameter(f"--share {share}: must lie between 0 and 1")
    if share is not None and method in (SplitMethod.LEAVE_LAST, SplitMethod.PREDEFINED):
        raise typer.BadParameter(f"--share says nothing of --split {method}; leave it out")
    if events is not None and method is not SplitMethod.LEAVE_LAST:
        raise typer.BadParameter("--events goes with --split leave-last")
    form = None if table is None else choose(TableFormat, table, "--table")
    file_form = None if output is None else checked_output(output, form)
    with show_progress(quiet), open_project_or_split(path, train, test, file_format, method) as project:
        report = compare_project(
            project,
            method,
            k=k,
            share=TEST_SHARE if share is None else share,
            events=events or 1,
            baseline=baseline,
            models=models,
            controls=controls,
            sampled=sampled,
        )
    if form is not None and output is None:
        typer.echo(render(report, form), nl=False)
    else:
        print_comparison(report)
    if output is not None and file_form is not None:
        write_text(output, render(report, file_form))
        typer.echo(f"wrote {output}")


def tune(
    path: ProjectPath,
    model: Annotated[str, typer.Option(help="als, item_knn, rp3beta, ease, style_als or style_head.")] = "als",
    trials: Annotated[int, typer.Option(min=1, help="Settings tried in all; those of earlier calls count.")] = 30,
    timeout: Annotated[float | None, typer.Option(help="Minutes after which no new trial begins.")] = None,
    metric: Annotated[str, typer.Option(help="Metric to maximize: ndcg, recall, map, mrr, ...")] = "ndcg",
    k: Annotated[int, typer.Option("--k", min=1, help="Length of the lists.")] = 20,
    split: Annotated[str | None, typer.Option(help="Validation by time or random. Default: by time if known.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the best settings of als into recsys.toml.")] = False,
    quiet: Quiet = False,
) -> None:
    """Search the settings that rank best on held-out events; the test part is never used."""
    from recsys.dataset.splits import SplitMethod
    from recsys.reports.terminal import print_tuning
    from recsys.tuning.search_spaces import Tunable
    from recsys.tuning.tune import als_lines, write_als
    from recsys.tuning.tune import tune as search

    chosen = choose(Tunable, model, "--model")
    method = None if split is None else choose(SplitMethod, split, "--split")
    if write and chosen is not Tunable.ALS:
        raise typer.BadParameter(f"--write: recsys.toml has only settings of {Tunable.ALS}, not of {chosen}")
    project = open_project(path)
    with show_progress(quiet):
        report = search(project, chosen, trials=trials, minutes=timeout, metric=metric, k=k, split=method)
    print_tuning(report)
    if write:
        write_als(project, report.best)
        typer.echo(f"wrote them into {project.root / 'recsys.toml'}; next: recsys build {path}")
    elif chosen is Tunable.ALS:
        typer.echo(
            "\n".join(["to use them, run again with --write, or put into recsys.toml:", *als_lines(report.best)])
        )


def open_project_or_split(
    path: Path | None, train: Path | None, test: Path | None, file_format: str | None, method: SplitMethod | None
) -> AbstractContextManager[Project]:
    """Open the named project, or a temporary one that holds the two files of a split."""
    from recsys.dataset.importers import FileFormat
    from recsys.dataset.published import published_split
    from recsys.dataset.splits import SplitMethod

    if path is not None:
        if (train, test, file_format) != (None, None, None):
            raise typer.BadParameter("--train, --test and --format replace a project; leave it or them out")
        return nullcontext(open_project(path))
    if train is None or test is None:
        raise typer.BadParameter("give a project, or both --train and --test")
    if method not in (None, SplitMethod.PREDEFINED):
        raise typer.BadParameter("--train and --test are the split; --split goes with a project")
    kind = None if file_format is None else choose(FileFormat, file_format, "--format")
    return published_split(train, test, kind)
