"""The command `recsys`: each subcommand calls one function of the library and prints what it gave.

Libraries that take long to import are imported by the command that needs them, so that help answers at once.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from recsys import __version__
from recsys.cli.experiment import experiment
from recsys.cli.export import bench_compression, export, restyle_sequence
from recsys.cli.key import key
from recsys.cli.preprocess import preprocess
from recsys.cli.train import train_style
from recsys.errors import RecsysError
from style.benchmarks.tables import Table
from style.errors import StyleError

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.dataset.splits import SplitMethod
    from recsys.ranking.recommender import Recommender
    from recsys.schema import ItemId
    from style.credit import StyleCredit
    from style.vector import StyleVector


Choice = TypeVar("Choice", bound=StrEnum)
ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project folder.")]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="What all files are written in: csv, parquet, recbole, movielens, lightgcn, amazon-reviews or hm. "
        "Default: recognized, file by file.",
    ),
]


class _Commands(TyperGroup):
    """Turns the errors that the library raises on purpose into one message and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (RecsysError, StyleError) as error:
            typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Recommendations with style-aware ranking, restyled toward each person's own taste.",
)


def main() -> None:
    """Entry point: exit code 1 for an error of the data or the request, 2 for wrong usage, 130 for Ctrl-C."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"style-recsys {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before the command."""


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="The folder to make.")],
    name: Annotated[str, typer.Option(help="What the project is called.")] = "shop",
) -> None:
    """Make a project folder with default settings."""
    from recsys.dataset.project import SETTINGS_FILE, Project

    project = Project.init(path, name)
    typer.echo(f"made {project.root}; its settings are in {SETTINGS_FILE}")
    typer.echo(f"next: recsys import {path} --items FILE --interactions FILE")


@app.command("import")
def import_(
    path: ProjectPath,
    items: Annotated[list[Path] | None, typer.Option(help="Items; repeat for files that complete each other.")] = None,
    interactions: Annotated[Path | None, typer.Option(help="Interactions.")] = None,
    test_interactions: Annotated[
        Path | None, typer.Option(help="The test part of a published split; --interactions is then its train.")
    ] = None,
    users: Annotated[Path | None, typer.Option(help="Users.")] = None,
    reviews: Annotated[
        Path | None, typer.Option(help="Reviews: item_id and text; words that say how things look.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Where relative image paths start.")] = None,
    file_format: FormatName = None,
    column: Annotated[list[str] | None, typer.Option(metavar="OLD=NEW", help="Rename a column.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Put bad rows into a file and go on.")] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to what is there instead of replacing it.")] = False,
    no_image_check: Annotated[bool, typer.Option("--no-image-check", help="Do not decode every picture.")] = False,
) -> None:
    """Bring in CSV, Parquet, RecBole or a public data set's own files: all of it, or, after an error, nothing."""
    from recsys.dataset.importers import FileFormat, ImportMode, import_data

    report = import_data(
        _project(path),
        items=items,
        interactions=interactions,
        test_interactions=test_interactions,
        users=users,
        reviews=reviews,
        images=images,
        file_format=None if file_format is None else _choice(FileFormat, file_format, "--format"),
        columns=dict(_pair(text, "--column", "OLD=NEW") for text in column or []),
        mode=ImportMode.APPEND if append else ImportMode.REPLACE,
        skip_bad=skip_bad,
        check_images=not no_image_check,
    )
    typer.echo(str(report))
    typer.echo(f"next: recsys build {path}")


@app.command()
def simulate(
    path: ProjectPath,
    users: Annotated[int, typer.Option(min=1, help="How many people to draw.")] = 500,
    style_by: Annotated[
        str | None, typer.Option(help="Item column that holds the hidden style; default: clusters of the pictures.")
    ] = None,
) -> None:
    """Draw people and events for a catalog that has none. They are not real, and say nothing of real people."""
    from recsys.demo import SIMULATED_NOTE, simulate_project

    report = simulate_project(_project(path), users, style_by)
    typer.secho(f"SIMULATED: {SIMULATED_NOTE}", fg=typer.colors.YELLOW, bold=True)
    typer.echo(str(report))


@app.command()
def build(path: ProjectPath) -> None:
    """Train everything on the imported data and make it what is served."""
    from recsys.bundle.store import load_bundle
    from recsys.training.build import build as build_bundle

    project = _project(path)
    version = build_bundle(project)
    typer.echo(f"built {version}")
    for name, value in load_bundle(project.bundles, project.root, version).metrics.items():
        typer.echo(f"{name} {value:.4f}")
    typer.echo(f"next: recsys serve {path}")


@app.command()
def refresh(path: ProjectPath) -> None:
    """Take in new and changed items since the last build, in seconds and without training."""
    from recsys.training.refresh import refresh as refresh_bundle

    done = refresh_bundle(_project(path))
    typer.echo(f"now {done.version}: {done.added} new items, {done.gone} gone and no longer available")


@app.command()
def recommend(
    path: ProjectPath,
    user: Annotated[str | None, typer.Option(help="Who the recommendations are for.")] = None,
    item: Annotated[
        list[str] | None, typer.Option(metavar="ITEM[=WEIGHT]", help="An item touched now; negative: disliked.")
    ] = None,
    style: Annotated[list[str] | None, typer.Option(help="A chosen style reference.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    category: Annotated[list[str] | None, typer.Option(help="Only this category; repeatable.")] = None,
    price_min: Annotated[float | None, typer.Option(help="Lowest price.")] = None,
    price_max: Annotated[float | None, typer.Option(help="Highest price.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Never this item; repeatable.")] = None,
    color: Annotated[str | None, typer.Option(metavar="#RRGGBB", help="Only products of about this color.")] = None,
    diversity: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="0: fit alone, 1: variety alone.")] = None,
    calibration: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="How much to keep to the mix of what was liked.")
    ] = None,
    exploration: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="The share of places for little-known items.")
    ] = None,
    refresh: Annotated[str, typer.Option(help="Any text; another one explores other items.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recommend items to a user, to somebody who touched some items, or to somebody who chose a style."""
    from recsys.ranking.request import Filters, Request
    from recsys.reports.terminal import answer_json, print_answer, print_basis
    from recsys.schema import ItemId, UserId

    project = _project(path)
    filters = Filters(
        categories=frozenset(category or ()),
        price_min=price_min,
        price_max=price_max,
        exclude=frozenset(map(ItemId, exclude or ())),
        color=color,
    )
    request = Request(
        user_id=None if user is None else UserId(user),
        items=dict(_touched(text, project.settings.events.like) for text in item or []),
        styles=tuple(style or ()),
        limit=limit,
        filters=filters,
        diversity=diversity,
        calibration=calibration,
        exploration=exploration,
        refresh=refresh,
    )
    recommender = _recommender(project)
    answer = recommender.recommend(request)
    if as_json:
        typer.echo(answer_json(recommender, answer))
        return
    print_answer(recommender, answer)
    print_basis(answer)


@app.command()
def similar(
    path: ProjectPath,
    item: Annotated[str, typer.Argument(help="The item to compare with.")],
    by: Annotated[
        str, typer.Option(help="What they share: style (looks), taste (people), both; color, texture, shape.")
    ] = "style",
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
) -> None:
    """List items like one item."""
    from recsys.ranking.recommender import SimilarBy
    from recsys.reports.terminal import print_answer
    from recsys.schema import ItemId

    kind = _choice(SimilarBy, by, "--by")
    recommender = _recommender(_project(path))
    print_answer(recommender, recommender.similar(ItemId(item), by=kind, limit=limit))


@app.command()
def taste(path: ProjectPath, user: Annotated[str, typer.Option(help="Whose taste.")]) -> None:
    """Explain a user's taste: its modes, the styles nearest to them, and items that show them."""
    from recsys.ranking.request import Request
    from recsys.reports.terminal import print_taste
    from recsys.schema import UserId

    recommender = _recommender(_project(path))
    print_taste(recommender, recommender.taste(Request(user_id=UserId(user))))


@app.command()
def restyle(
    path: ProjectPath,
    item: Annotated[str, typer.Option(help="The item whose photo is repainted.")],
    user: Annotated[str | None, typer.Option(help="Toward this user's taste.")] = None,
    taste_mode: Annotated[int | None, typer.Option(min=0, help="Which mode of the taste; default: the first.")] = None,
    style: Annotated[str | None, typer.Option(help="Toward this style reference.")] = None,
    scene: Annotated[str | None, typer.Option(help="Toward a scene's style reference, the nearest to --user.")] = None,
    like: Annotated[str | None, typer.Option(help="Toward the look of this item.")] = None,
    text: Annotated[
        str | None,
        typer.Option(help='Toward words, such as "dark marble"; with --user: from that taste halfway there.'),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Default: the setting.")] = None,
    strength: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="0: the photo as it is.")] = None,
    mode: Annotated[
        str | None, typer.Option(help="What is painted: product, full, background or tone. Default: the setting.")
    ] = None,
    keep_color: Annotated[
        bool | None, typer.Option("--keep-color/--change-color", help="Change lightness alone, or hues, too.")
    ] = None,
    no_fidelity: Annotated[bool, typer.Option("--no-fidelity", help="Do not limit what the strength may do.")] = False,
    size: Annotated[int | None, typer.Option(min=32, max=2048, help="Largest width in pixels.")] = None,
    out: Annotated[Path, typer.Option(help="Where it goes: .jpg, .png or .webp.")] = Path("restyled.jpg"),
    sidecar: Annotated[
        bool, typer.Option("--sidecar", help="Also write the picture's mark beside it, as JSON.")
    ] = False,
    sign_cert: Annotated[Path | None, typer.Option(help="Sign with this certificate chain (PEM; extra c2pa).")] = None,
    sign_key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
) -> None:
    """Repaint one product photo toward a taste, a style reference, a scene, another item, or words."""
    from recsys.errors import RequestError
    from recsys.reports.inline_images import format_of, ready_restyler, refuse_overwriting, render_patiently
    from recsys.reports.output_files import Delivery
    from recsys.reports.terminal import print_fidelity
    from recsys.schema import ItemId
    from style.modes import PaintMode

    named = sum(one is not None for one in (style, like, scene, text))
    with_user = scene is not None or text is not None
    if named > 1 or (named == 0 and user is None) or (named == 1 and user is not None and not with_user):
        raise typer.BadParameter(
            "give one of --user, --style, --like, --scene and --text; --user goes with the last two, too"
        )
    if (sign_cert is None) != (sign_key is None):
        raise typer.BadParameter("--sign-cert and --sign-key go together")
    paint_mode = None if mode is None else _choice(PaintMode, mode, "--mode")
    delivery = Delivery(out, format_of(out), sidecar=sidecar, certificate=sign_cert, key=sign_key)
    project = _project(path)
    recommender = _recommender(project)
    image = recommender.card(ItemId(item)).image
    if image is None:
        raise RequestError("item", f"{item!r} has no picture to restyle")
    refuse_overwriting(out, recommender.photos())
    vector, credit = _target_style(recommender, user, taste_mode, style, scene, like, text)
    with ready_restyler(project, engine, fidelity=not no_fidelity) as restyler:
        picture = render_patiently(
            restyler,
            image,
            vector,
            strength=strength,
            mode=paint_mode,
            keep_color=keep_color,
            width=size,
            image_format=delivery.image_format,
            credit=credit,
        )
    for written in delivery.deliver(picture):
        typer.echo(f"wrote {written}")
    typer.echo(f"{picture.media_type}, engine {picture.engine}, strength {picture.strength:.3g}")
    if picture.report is not None:
        print_fidelity(picture.report)


@app.command()
def evaluate(
    path: Annotated[
        Path | None, typer.Argument(metavar="PROJECT", help="The project folder, or --train and --test.")
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Without a project: the train file of a published split.")] = None,
    test: Annotated[Path | None, typer.Option(help="Without a project: its test file.")] = None,
    file_format: FormatName = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="time, leave-last, random, strong, cold-items or predefined. "
            "Default: what came with the data, else time."
        ),
    ] = None,
    share: Annotated[float | None, typer.Option(help="The share held out, between 0 and 1. Default: 0.2")] = None,
    events: Annotated[
        int | None, typer.Option(min=1, help="Of each person, for --split leave-last. Default: 1")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Repeatable, or all. Default: popularity, trend, als, blend."),
    ] = None,
    baseline: Annotated[str, typer.Option(help="What the others are tested against.")] = "popularity",
    controls: Annotated[
        bool, typer.Option("--controls", help="Also the blend with shuffled or random style, or colors alone.")
    ] = False,
    sampled: Annotated[
        int | None, typer.Option(min=1, help="Rank against so many random items, for comparison with such tables.")
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Length of the lists.")] = 10,
    table: Annotated[str | None, typer.Option(help="Every figure as text, markdown, csv or json.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write every figure to a file: as --table says, or by suffix.")
    ] = None,
) -> None:
    """Compare models on held-out events, ranking the whole catalog: recall, NDCG and more, with tests."""
    from recsys.dataset.splits import SplitMethod
    from recsys.evaluation.report import TEST_SHARE, compare_project
    from recsys.evaluation.tables import TableFormat, checked_output, render
    from recsys.reports.comparison import print_comparison
    from recsys.storage.artifacts import write_text

    method = None if split is None else _choice(SplitMethod, split, "--split")
    _check_split(method, share, events)
    form = None if table is None else _choice(TableFormat, table, "--table")
    file_form = None if output is None else checked_output(output, form)
    with _evaluated(path, train, test, file_format, method) as project:
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


@app.command()
def tune(
    path: ProjectPath,
    model: Annotated[str, typer.Option(help="als, item_knn, rp3beta, ease, style_als or style_head.")] = "als",
    trials: Annotated[int, typer.Option(min=1, help="Settings tried in all; those of earlier calls count.")] = 30,
    timeout: Annotated[float | None, typer.Option(help="No new trial begins after so many minutes.")] = None,
    metric: Annotated[str, typer.Option(help="What is to be large: ndcg, recall, map, mrr, ...")] = "ndcg",
    k: Annotated[int, typer.Option("--k", min=1, help="Length of the lists.")] = 20,
    split: Annotated[str | None, typer.Option(help="Validation by time or random. Default: by time if known.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the best settings of als into recsys.toml.")] = False,
) -> None:
    """Search the settings that rank best on held-out events, never looking at the test part."""
    from recsys.dataset.splits import SplitMethod
    from recsys.reports.terminal import print_tuning
    from recsys.tuning.search_spaces import Tunable
    from recsys.tuning.tune import als_lines, write_als
    from recsys.tuning.tune import tune as search

    chosen = _choice(Tunable, model, "--model")
    method = None if split is None else _choice(SplitMethod, split, "--split")
    if write and chosen is not Tunable.ALS:
        raise typer.BadParameter(f"--write: recsys.toml has settings of {Tunable.ALS} alone, not of {chosen}")
    project = _project(path)
    report = search(project, chosen, trials=trials, minutes=timeout, metric=metric, k=k, split=method)
    print_tuning(report)
    if write:
        write_als(project, report.best)
        typer.echo(f"wrote them into {project.root / 'recsys.toml'}; next: recsys build {path}")
    elif chosen is Tunable.ALS:
        typer.echo(
            "\n".join(["to use them, run again with --write, or put into recsys.toml:", *als_lines(report.best)])
        )


@app.command()
def page(
    path: ProjectPath,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    users: Annotated[list[str] | None, typer.Option(help="Who is shown; repeatable. Default: five tastes.")] = None,
) -> None:
    """Write one HTML page: people, their taste, and their recommendations before and after restyling."""
    from recsys.demo import SIMULATED_NOTE, is_simulated
    from recsys.reports.page import write_page
    from recsys.schema import UserId

    project = _project(path)
    note = SIMULATED_NOTE if is_simulated(project) else ""
    write_page(project, out, users=[UserId(user) for user in users or []], note=note)
    typer.echo(f"wrote {out}")


@app.command()
def serve(
    path: ProjectPath,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at.")] = 8000,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. Default: the setting.")] = None,
    log_format: Annotated[str, typer.Option(help="Lines of the log: text or json.")] = "text",
    forwarded_allow_ips: Annotated[
        str, typer.Option(help="Proxies whose X-Forwarded-For is believed, separated by commas; * for all.")
    ] = "127.0.0.1,::1",
    root_path: Annotated[str, typer.Option(help="The prefix under which a proxy has mounted the service.")] = "",
) -> None:
    """Serve recommendations and restyled pictures over HTTP; SIGTERM lets what is in flight end."""
    from recsys.api.logs import LogFormat
    from recsys.api.server import serve as serve_project
    from recsys.bundle.store import current_version

    project = _project(path)
    version = current_version(project.bundles)
    typer.echo(f"serving {project.settings.name} ({version}); try http://{host}:{port}{root_path}/docs")
    serve_project(
        project,
        host=host,
        port=port,
        workers=workers or project.settings.service.workers,
        log_format=_choice(LogFormat, log_format, "--log-format"),
        forwarded_allow_ips=forwarded_allow_ips,
        root_path=root_path,
    )


@app.command()
def rights(
    path: ProjectPath,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with the lines that credit artists.")] = False,
) -> None:
    """Show whose each style is, what its license allows, and whether pictures may go toward it here."""
    from recsys.reports.rights import ledger, ledger_json, print_ledger

    rows = ledger(_project(path))
    if as_json:
        typer.echo(ledger_json(rows))
    else:
        print_ledger(rows)


@app.command()
def audit(
    path: ProjectPath,
    user: Annotated[str | None, typer.Option(help="Pictures for this person alone.")] = None,
    style: Annotated[str | None, typer.Option(help="Pictures toward this style reference alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The last so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """Show which restyled pictures were made for whom, toward what, and under which license."""
    from recsys.reports.audit import audited, entry_json, print_audit

    entries = audited(_project(path), user, style, limit)
    if as_json:
        for entry in entries:
            typer.echo(entry_json(entry))
    else:
        print_audit(entries)


@app.command()
def doctor(
    path: Annotated[Path | None, typer.Argument(metavar="[PROJECT]", help="A project to check, too.")] = None,
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


bench = typer.Typer(
    no_args_is_help=True, help="Measure again what this project claims, each figure beside its baseline."
)
app.add_typer(bench, name="bench")
app.add_typer(key, name="key")
app.command()(preprocess)
app.add_typer(experiment, name="experiment")
app.command("train-style")(train_style)
app.command("export")(export)
app.command("restyle-sequence")(restyle_sequence)
bench.command("compression")(bench_compression)


@bench.command("style")
def bench_style(
    labeled: Annotated[Path | None, typer.Option(help="A folder of pictures per style, e.g. paintings.")] = None,
    products: Annotated[Path | None, typer.Option(help="Product photos; columns of an items.csv are labels.")] = None,
    judge: Annotated[Path | None, typer.Option(help="Weights of VGG-19 to relu4_1: judges restyled pictures.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of product and style.")] = 40,
    only: Annotated[Table | None, typer.Option(help="This table alone.")] = None,
) -> None:
    """Do style vectors mean style, do engines obey them, and how fast?"""
    from style.benchmarks.run import bench_style as lines

    if labeled is None and products is None:
        raise typer.BadParameter("give --labeled, --products or both")
    if only is Table.TRANSFER and None in (labeled, products, judge):
        raise typer.BadParameter("--only transfer needs --labeled, --products and --judge")
    for line in lines(labeled, products, judge, pairs, only):
        typer.echo(line)


@bench.command("engines")
def bench_engines(
    products: Annotated[Path, typer.Option(help="Product photos.")],
    styles: Annotated[Path, typer.Option(help="Pictures of styles; every fifth is used, as recipes hold it out.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")] = Path("engines.html"),
    engine: Annotated[list[str] | None, typer.Option(help="Of these alone; repeatable.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of product and style.")] = 12,
    judge: Annotated[Path | None, typer.Option(help="Weights of VGG-19 to relu4_1. Default: the small VGG.")] = None,
    patience: Annotated[float, typer.Option(min=0.0, help="Seconds after which an engine gets no further pair.")] = 60,
    experiment: Annotated[str | None, typer.Option(help="With what people did in it; goes with --project.")] = None,
    project: Annotated[Path | None, typer.Option(help="The project of --experiment.")] = None,
) -> None:
    """All engines on the same pairs: figures, pictures, and what people did, as a page."""
    from recsys.cli.experiment import analysis_of
    from recsys.reports.engine_behavior import behavior_of
    from recsys.reports.engine_page import check_page, write_engine_page
    from style.benchmarks.run import bench_engines as compared

    if (experiment is None) != (project is None):
        raise typer.BadParameter("--experiment and --project go together")
    check_page(output)
    behavior = None
    if experiment is not None and project is not None:
        shop = _project(project)
        behavior = behavior_of(analysis_of(shop, experiment), shop.settings.restyle.engine)
    found, lines, judged_by = compared(products, styles, engine, pairs, judge, patience)
    for line in lines:
        typer.echo(line)
    write_engine_page(found, output, judge=judged_by, behavior=behavior)
    typer.echo(f"wrote {output}")


@bench.command("rank")
def bench_rank(
    items: Annotated[list[int] | None, typer.Option(min=200, help="Items of a synthetic shop; repeatable.")] = None,
    requests: Annotated[int, typer.Option(min=10, help="Requests of each kind.")] = 300,
) -> None:
    """What one request costs on one core, step by step, and what the vector indexes find."""
    from recsys.benchmarks.rank import rank_lines as lines

    for line in lines(items or [10_000, 100_000], requests):
        typer.echo(line)


@bench.command("scale")
def bench_scale(
    full: Annotated[bool, typer.Option("--full", help="Also 1M items and 10M events: needs many GiB, long.")] = False,
    share: Annotated[list[float] | None, typer.Option(min=1e-4, max=1.0, help="Other shares of the full size.")] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="Iterations of ALS, if not the setting's.")] = None,
) -> None:
    """Seconds and memory of training at 1/100, 1/10 and, with --full, 1/1 of 1M items and 10M events."""
    from recsys.benchmarks.scale import SHARES
    from recsys.benchmarks.scale import scale_lines as lines

    for line in lines(share or ((*SHARES, 1.0) if full else SHARES), iterations):
        typer.echo(line)


@bench.command("serve")
def bench_serve(
    only: Annotated[list[str] | None, typer.Option(help="A promise by name; repeatable. Default: all.")] = None,
    work: Annotated[Path | None, typer.Option(help="Keeps the shops and logs. Default: a temporary folder.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each load.")] = 10.0,
    repeats: Annotated[int, typer.Option(min=1, help="Times of each load; medians are printed.")] = 3,
) -> None:
    """Does the service keep its promises? A real server under load, each figure beside its baseline."""
    from tempfile import TemporaryDirectory

    from recsys.benchmarks.service.figures import Bench, Effort
    from recsys.benchmarks.service.run import serve_lines as lines
    from recsys.benchmarks.service.shops import Shops
    from recsys.demo import sample_shop

    with TemporaryDirectory() as scratch:
        folder = work or Path(scratch)
        shops = Shops(folder, lambda path: sample_shop(path, lambda _: None))
        for line in lines(Bench(shops, folder / "logs", Effort(seconds, repeats)), only or ()):
            typer.echo(line)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to make.")] = Path("demo"),
    port_hint: Annotated[int, typer.Option(help="The port that the closing hint names.")] = 8000,
) -> None:
    """Build the sample shop, recommend to a few people, and write a page to look at."""
    from recsys.demo import run_demo
    from recsys.ranking.request import Request
    from recsys.reports.terminal import print_answer

    shown = run_demo(out, typer.echo)
    for user in shown.people:
        typer.secho(f"\n{user}", bold=True)
        print_answer(shown.recommender, shown.recommender.recommend(Request(user_id=user, limit=5)))
    typer.echo(f"\nlook at   {shown.page}")
    typer.echo(f"serve it  recsys serve {out / 'shop'} --port {port_hint}")


def _project(path: Path) -> Project:
    from recsys.dataset.project import Project

    return Project.open(path)


def _check_split(method: SplitMethod | None, share: float | None, events: int | None) -> None:
    from recsys.dataset.splits import SplitMethod

    if share is not None and not 0.0 < share < 1.0:
        raise typer.BadParameter(f"--share {share}: must lie between 0 and 1")
    if share is not None and method in (SplitMethod.LEAVE_LAST, SplitMethod.PREDEFINED):
        raise typer.BadParameter(f"--share says nothing of --split {method}; leave it out")
    if events is not None and method is not SplitMethod.LEAVE_LAST:
        raise typer.BadParameter("--events goes with --split leave-last")


def _evaluated(
    path: Path | None, train: Path | None, test: Path | None, file_format: str | None, method: SplitMethod | None
) -> AbstractContextManager[Project]:
    """The project that was named, or one that holds the two files and goes afterwards."""
    from recsys.dataset.importers import FileFormat
    from recsys.dataset.published import published_split
    from recsys.dataset.splits import SplitMethod

    if path is not None:
        if (train, test, file_format) != (None, None, None):
            raise typer.BadParameter("--train, --test and --format replace a project; leave it or them out")
        return nullcontext(_project(path))
    if train is None or test is None:
        raise typer.BadParameter("give a project, or both --train and --test")
    if method not in (None, SplitMethod.PREDEFINED):
        raise typer.BadParameter("--train and --test are the split; --split goes with a project")
    kind = None if file_format is None else _choice(FileFormat, file_format, "--format")
    return published_split(train, test, kind)


def _recommender(project: Project) -> Recommender:
    from recsys.bundle.store import load_bundle
    from recsys.ranking.recommender import Recommender

    return Recommender(load_bundle(project.bundles, project.root))


def _target_style(
    recommender: Recommender,
    user: str | None,
    taste_mode: int | None,
    style: str | None,
    scene: str | None,
    like: str | None,
    text: str | None,
) -> tuple[StyleVector, StyleCredit | None]:
    """The style that one of the options names, and whose work it is; says what words were understood."""
    from recsys.errors import RequestError
    from recsys.ranking.request import Request
    from recsys.reports.terminal import print_words
    from recsys.schema import ItemId, UserId

    person = None if user is None else Request(user_id=UserId(user))
    if scene is not None:
        return recommender.credited_reference(recommender.reference_for_scene(scene, person, taste_mode).style_id)
    if style is not None:
        return recommender.credited_reference(style)
    if like is not None:
        return recommender.style_of_item(ItemId(like)), None
    vector = None if person is None else recommender.style_for(person, taste_mode)
    if text is not None:
        report = recommender.style_of_text(text, vector)
        print_words(report)
        return report.style, None
    if vector is None:
        raise RequestError("user", f"nothing is known about the taste of {user!r}; choose a style instead")
    return vector, None


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise typer.BadParameter(f"{option} {text!r}: expected {form}")
    return left, right


def _touched(text: str, default: float) -> tuple[ItemId, float]:
    """An item and its weight; ids may hold an equals sign, so the last one parts them."""
    from recsys.schema import ItemId

    item, equals, weight = text.rpartition("=")
    if not equals:
        return ItemId(text), default
    try:
        return ItemId(item), float(weight)
    except ValueError:
        raise typer.BadParameter(f"--item {text!r}: {weight!r} is not a number; expected ITEM=WEIGHT") from None


def _choice(kinds: type[Choice], text: str, option: str) -> Choice:
    if text not in list(kinds):
        raise typer.BadParameter(f"{option} {text!r}: use one of {', '.join(kinds)}")
    return kinds(text)
