"""What a swap leaves behind: nothing."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

from recsys.bundle.versions import versions


def test_the_model_before_is_freed(open_shop: Callable[..., Any]) -> None:
    shop = open_shop()
    paths = ("/v1/users/u00/recommendations", "/v1/users/u00/taste", "/v1/items/p01/similar", "/openapi.json")
    for path in paths:
        assert shop.client.get(path).status_code == 200
    first = weakref.ref(shop.host.current.recommender)
    (other,) = (found.version for found in versions(shop.project.bundles) if not found.current)
    shop.host.activate(other)
    # The first request after a swap takes over the new model.
    assert shop.client.get(paths[0]).json()["model_version"] == other
    until = time.monotonic() + 10
    while first() is not None and time.monotonic() < until:
        gc.collect()
        time.sleep(0.05)
    assert first() is None
