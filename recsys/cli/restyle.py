"""Command restyle: one product photo toward a style."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.shared import ProjectPath, choose, load_recommender, open_project


def restyle(
    path: ProjectPath,
    item: Annotated[str, typer.Option(help="Item whose photo is restyled.")],
    user: Annotated[str | None, typer.Option(help="Restyle toward the taste of this user.")] = None,
    taste_component: Annotated[
        int | None, typer.Option(min=0, help="Index of the taste component; default: the first.")
    ] = None,
    style: Annotated[str | None, typer.Option(help="Restyle toward this style reference.")] = None,
    scene: Annotated[
        str | None, typer.Option(help="Restyle toward the scene's style reference nearest to --user.")
    ] = None,
    like: Annotated[str | None, typer.Option(help="Restyle toward the style of this item.")] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help='Restyle toward words, such as "dark marble"; with --user: halfway from that taste to the words.'
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Engine that paints. Default: restyle.engine in recsys.toml.")
    ] = None,
    strength: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Strength; 0 returns the photo unchanged.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="Part to paint: product, full, background or tone. Default: restyle.mode in recsys.toml."),
    ] = None,
    keep_color: Annotated[
        bool | None, typer.Option("--keep-color/--change-color", help="Change only lightness, or hues too.")
    ] = None,
    no_fidelity: Annotated[
        bool, typer.Option("--no-fidelity", help="Do not lower the strength by limits of fidelity.")
    ] = False,
    size: Annotated[int | None, typer.Option(min=32, max=2048, help="Largest width in pixels.")] = None,
    out: Annotated[Path, typer.Option(help="File to write: .jpg, .png or .webp.")] = Path("restyled.jpg"),
    sidecar: Annotated[bool, typer.Option("--sidecar", help="Also write the image's mark beside it, as JSON.")] = False,
    sign_cert: Annotated[Path | None, typer.Option(help="Sign with this certificate chain (PEM; extra c2pa).")] = None,
    sign_key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
) -> None:
    """Restyle one product photo toward a taste, a style reference, a scene, another item, or words."""
    from recsys.errors import RequestError
    from recsys.ranking.request import Request
    from recsys.reports.inline_images import format_of, load_renderer, refuse_overwriting
    from recsys.reports.output_files import Delivery
    from recsys.reports.terminal import print_fidelity, print_words
    from recsys.restyling.render_request import RenderRequest
    from recsys.restyling.target import StyleTarget
    from recsys.schema import ItemId, UserId
    from style.modes import PaintMode

    named = sum(one is not None for one in (style, like, scene, text))
    with_user = scene is not None or text is not None
    if named > 1 or (named == 0 and user is None) or (named == 1 and user is not None and not with_user):
        raise typer.BadParameter(
            "give one of --user, --style, --like, --scene and --text; --user goes with the last two, too"
        )
    if (sign_cert is None) != (sign_key is None):
        raise typer.BadParameter("--sign-cert and --sign-key go together")
    paint_mode = None if mode is None else choose(PaintMode, mode, "--mode")
    delivery = Delivery(out, format_of(out), sidecar=sidecar, certificate=sign_cert, key=sign_key)
    project = open_project(path)
    recommender = load_recommender(project)
    photo = recommender.catalog.card(ItemId(item)).image
    if photo is None:
        raise RequestError("item", f"{item!r} has no image to restyle")
    refuse_overwriting(out, recommender.catalog.image_paths())
    target = StyleTarget.resolve(
        recommender,
        taste=None if user is None else recommender.profile(Request(user_id=UserId(user))).taste,
        component=taste_component,
        style=style,
        item=None if like is None else ItemId(like),
        scene=scene,
        text=text,
    )
    if target is None:
        raise RequestError("user", f"nothing is known about the taste of {user!r}; choose a style instead")
    if target.words is not None:
        print_words(target.words)
    with load_renderer(project, engine, fidelity=not no_fidelity) as renderer:
        request = RenderRequest.from_settings(
            renderer.settings,
            photo,
            target,
            recipe=renderer.recipe,
            strength=strength,
            mode=paint_mode,
            keep_color=keep_color,
            width=size,
            image_format=delivery.image_format,
        )
        result = renderer.render_or_raise(request)
    for written in delivery.deliver(result):
        typer.echo(f"wrote {written}")
    typer.echo(f"{result.media_type}, engine {result.engine}, strength {result.strength:.3g}")
    if result.report is not None:
        print_fidelity(result.report)
