"""The command line: `sdmerge` and `python -m sdmerge`."""

from __future__ import annotations

from sdmerge.cli.main import main

if __name__ == "__main__":
    main()
