"""Run the command line as `python -m recsys`."""

from recsys.cli.main import main

main()
