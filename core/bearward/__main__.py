"""`python -m bearward`: the command line."""

from __future__ import annotations

from bearward.command_line import main

if __name__ == "__main__":
    main()
