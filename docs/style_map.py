"""Draw `docs/style_map.jpg`: the sample's catalog by style, as in `notebooks/02_style_space.ipynb`.

    python docs/style_map.py [OUT]

Uses the project in `RECSYS_PROJECT`, or else builds the sample shop.
"""

from __future__ import annotations

import sys
from pathlib import Path

from recsys.bundle.store import load_bundle
from recsys.demo import project_or_sample
from recsys.plots.style_map import style_map
from recsys.ranking.recommender import Recommender


def main() -> None:
    """Draw and save the map."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("style_map.jpg")
    project = project_or_sample()
    style_map(Recommender(load_bundle(project.bundles, project.root))).save(out)


if __name__ == "__main__":
    main()
