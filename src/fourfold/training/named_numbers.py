"""Numbers by name, as an option gives them: duck=0.3,car=1.2."""

import math
from collections.abc import Sequence

from fourfold.errors import UsageError


def parse_named_numbers(text: str, option: str, names: Sequence[str]) -> dict[str, float]:
    """Read a comma list of NAME=NUMBER, numbers above 0.

    >>> parse_named_numbers("duck=0.3, car=2", "--scales", ("car", "duck"))
    {'duck': 0.3, 'car': 2.0}

    Args:
        option: what it is called, for errors.
        names: those that are known.

    Raises:
        UsageError: another form, a name that is not known or comes twice, or a number that is not
            above 0.
    """
    numbers: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, number = (word.strip() for word in part.rpartition("="))
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name not in names or name in numbers or not 0 < value < math.inf:
            raise UsageError(
                f"{option} {part!r}",
                expected="NAME=NUMBER, a number above 0, each NAME once and one of "
                + ", ".join(names),
            )
        numbers[name] = value
    return numbers
