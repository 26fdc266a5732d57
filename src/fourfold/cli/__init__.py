"""The command line: `fourfold VERB …`."""

from fourfold.cli.main import main

__all__ = ["main"]
