"""Figures of names, docstrings and layout over `recsys/` and `style/`, each with its bound."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for package in ("recsys", "style") for path in (ROOT / package).rglob("*.py"))

WEAK_BEGINNING = re.compile(r"(a|an|the|what|which|who|whom|whose|where|when|whether|how|why)\b", re.IGNORECASE)
"""First words of a docstring that name no action and no thing."""
VERB = re.compile("read|put|set|cut|split|spread|run|feed|seed|embed|need|speed|shed|exceed|proceed")
"""Verbs that look like a past participle."""
PARTICIPLE = re.compile(
    "[a-z]{3,}ed|made|told|shown|kept|seen|known|given|taken|drawn|sent|held|found|built|chosen|written|left|lost|spent"
    "|bought|felt|grown|paid|said|understood|worn|won|met|bound|begun|born|brought|caught|done|fed|gone|had|heard"
    "|hidden|laid|led|lent|meant|sold|sought|spoken|stolen|struck|taught|thrown|torn|woven|redrawn"
)

SINGLE_USE_PER_LINE = 5.8 / 1000
"""Bound of private module functions with one use, per line of source."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    """Return each source file with its syntax tree."""
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]


def definitions(node: ast.Module | ast.ClassDef, *, public: bool = True) -> Iterator[tuple[Definition, bool]]:
    """Yield classes, functions and methods, with true if neither they nor their class begin with `_`."""
    for child in node.body:
        if isinstance(child, Definition):
            is_public = public and not child.name.startswith("_")
            yield child, is_public
            if isinstance(child, ast.ClassDef):
                yield from definitions(child, public=is_public)


def is_participle(name: str) -> bool:
    word = name.strip("_")
    return PARTICIPLE.fullmatch(word) is not None and VERB.fullmatch(word) is None


def report(found: list[str], total: float, bound: float) -> str:
    listed = "\n".join(found)
    return f"{len(found)} of {total:g}, at most {bound * total:.0f}:\n{listed}"


def test_public_docstrings_begin_with_a_verb_or_a_noun() -> None:
    total, found = 0, []
    for path, tree in trees():
        for definition, public in definitions(tree):
            text = ast.get_docstring(definition) if public else None
            if text:
                total += 1
                if WEAK_BEGINNING.match(text):
                    found.append(f"{path.relative_to(ROOT)}:{definition.lineno} {text.splitlines()[0]}")
    assert len(found) < 0.05 * total, report(found, total, 0.05)


def test_no_function_is_named_by_a_bare_participle() -> None:
    total, found = 0, []
    for path, tree in trees():
        for definition, _ in definitions(tree):
            if not isinstance(definition, ast.ClassDef):
                total += 1
                if is_participle(definition.name):
                    found.append(f"{path.relative_to(ROOT)}:{definition.lineno} {definition.name}")
    assert len(found) < 0.01 * total, report(found, total, 0.01)


def test_few_private_functions_have_a_single_use() -> None:
    lines, found = 0, []
    for path, tree in trees():
        lines += path.read_text(encoding="utf-8").count("\n")
        uses = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        uses += Counter(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            for node in tree.body
            if isinstance(node, Function) and re.match(r"_[^_]", node.name) and uses[node.name] == 1
        ]
    assert len(found) < SINGLE_USE_PER_LINE * lines, report(found, lines, SINGLE_USE_PER_LINE)


def test_no_folder_holds_more_than_20_files() -> None:
    crowded = {str(folder): count for folder, count in Counter(path.parent for path in FILES).items() if count > 20}
    assert crowded == {}
