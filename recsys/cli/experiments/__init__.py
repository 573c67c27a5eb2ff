"""Commands `recsys experiment`: plan, create, start, ramp, stop, show, analyze, holdout, watch and simulate."""

from __future__ import annotations

import typer

from recsys.cli.experiments.analyze import analyze
from recsys.cli.experiments.create import create
from recsys.cli.experiments.holdout import holdout
from recsys.cli.experiments.off_policy import off_policy
from recsys.cli.experiments.plan import plan
from recsys.cli.experiments.run import ramp, start, stop
from recsys.cli.experiments.show import assign, list_, show
from recsys.cli.experiments.watch import watch
from recsys.cli.simulate import simulate

experiment = typer.Typer(
    no_args_is_help=True, help="Run A/B tests on live traffic: plan, create, start, stop, analyze."
)
for command in (plan, simulate, create, start, ramp, stop, show, assign, analyze, holdout, watch):
    experiment.command()(command)
experiment.command("list")(list_)
experiment.command("off-policy")(off_policy)
