"""`python -m flows`: the command `hopper`."""

from __future__ import annotations

from flows.cli.main import main

if __name__ == "__main__":
    main()
