"""`python -m bearward`: the command line."""

from __future__ import annotations

from bearward.command_line import main

main()
