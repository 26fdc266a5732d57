"""From the words of a command line to a verb, and from what goes wrong to an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import tyro

import fourfold
from fourfold.cli.commands import Command, commands
from fourfold.cli.foreign_options import refuse_foreign_options
from fourfold.errors import FourfoldError, UsageError

_DESCRIPTION = "From a video, a photo or many cameras to a dynamic 3D scene, on a laptop."
# What a shell reports for a program that was interrupted (128 + SIGINT).
_INTERRUPTED = 130
# Wrong usage or input, as tyro exits too.
_WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done. 1: a result that fails its own checks. 2: an input or option that cannot be used.
    130: interrupted. An error is one line on standard error; `--traceback`, or the environment
    variable FOURFOLD_TRACEBACK=1, shows where it arose.
    """
    # Torch's threads would spin while they wait for one another: beside other programs on the same
    # cores, that made training three times slower. Read when torch is loaded, which is later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return 0
    return code


def parse(words: list[str]) -> Command:
    """Turn words into the command with its options.

    Raises:
        UsageError: an option of another method.
        SystemExit: code 2 for words that cannot be understood, 0 after help.
    """
    if words == ["--version"]:
        words = ["version"]
    refuse_foreign_options(words)
    command = commands(words)
    if {"-h", "--help"} & set(words[1:]):
        # Tyro leaves out of its help what it has read before it, such as METHOD.
        words = [words[0], "--help"]
    return tyro.cli(
        command,
        prog="fourfold",
        description=f"{_DESCRIPTION} Version {fourfold.__version__}.",
        args=words,
        config=(tyro.conf.OmitSubcommandPrefixes,),
    )


def _run(words: list[str]) -> int:
    try:
        command = parse(words)
    except UsageError as error:
        return _report(error, error.exit_code, "--traceback" in words)
    try:
        command.run()
    except BrokenPipeError:
        raise
    except FourfoldError as error:
        return _report(error, error.exit_code, command.traceback)
    except OSError as error:
        return _report(error, _WRONG_INPUT, command.traceback)
    except KeyboardInterrupt:
        print(f"\ninterrupted. {command.when_interrupted()}", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _report(error: Exception, code: int, with_traceback: bool) -> int:
    if with_traceback or os.environ.get("FOURFOLD_TRACEBACK", "0") not in ("", "0"):
        traceback.print_exception(error)
    # One line, whatever the message holds.
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return code


def _forget_output() -> None:
    # The reader of our output has gone (`fourfold info clip | head`): nothing is wrong. Python
    # would complain when it flushes standard output at the end, so that goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
