"""`python -m cli`: the `groundwork` command, for processes that start each other by their interpreter."""

from cli.main import main

main()
