"""Start of the service: refused with one sentence where it would be unsafe or cannot work, else with what is good."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.api.server import serve
from recsys.bundle.store import CURRENT, current_version
from recsys.dataset.project import Project
from recsys.errors import ConfigError, StorageError
from recsys.serving.model_host import ModelHost


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "shop.example"])  # noqa: S104
def test_without_keys_only_the_own_machine_is_served(shop_on_disk: Project, host: str) -> None:
    with pytest.raises(ConfigError, match=r"recsys key create.*--open"):
        serve(shop_on_disk, host=host, port=0, workers=1)


def test_a_broken_database_stops_the_start_of_all_workers(shop_on_disk: Project) -> None:
    file = shop_on_disk.root / "live" / "live.db"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match="not a database"):
        serve(shop_on_disk, host="127.0.0.1", port=0, workers=2)


@pytest.mark.slow
def test_workers_that_cannot_start_end_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing was built, which only workers notice.
    project = Project.init(tmp_path / "shop", "shop")
    for variable in ("RECSYS_PROJECT", "RECSYS__SERVICE__WORKERS", "RECSYS_LINK_KEY"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    with pytest.raises(SystemExit) as ended:
        serve(project, host="127.0.0.1", port=0, workers=2)
    assert ended.value.code == 3


@pytest.mark.parametrize("pointer", ["", '{"version": 5}', '{"version": "../../etc"}', "[]", None])
def test_a_damaged_pointer_leaves_the_newest_bundle(shop_on_disk: Project, pointer: str | None) -> None:
    newest = current_version(shop_on_disk.bundles)
    file = shop_on_disk.bundles / CURRENT
    file.unlink()
    if pointer is not None:
        file.write_text(pointer)
    host = ModelHost(shop_on_disk.bundles, shop_on_disk.root)
    assert host.current.version == newest
    assert host.rejection is not None
    assert CURRENT in host.rejection.reason or "no bundle" in host.rejection.reason
