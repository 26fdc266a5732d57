"""Numbers by name: what is read, and what is refused."""

import pytest

from fourfold.errors import UsageError
from fourfold.training import parse_named_numbers


def test_numbers_are_read_by_name():
    found = parse_named_numbers(" a = 1e-1 ,b=2,", "--x", ("b", "a", "c"))
    assert found == {"a": 0.1, "b": 2.0}
    assert parse_named_numbers("", "--x", ()) == {}
    # a name may hold what separates it from the number
    assert parse_named_numbers("a=b=3", "--x", ("a=b",)) == {"a=b": 3.0}


@pytest.mark.parametrize("text", ["c=1", "a", "a=", "a=far", "a=0", "a=-1", "a=nan", "a=inf"])
def test_what_says_nothing_is_refused(text):
    with pytest.raises(UsageError, match=f"--x '{text}'; expected NAME=NUMBER.*one of a, b"):
        parse_named_numbers(text, "--x", ("a", "b"))


def test_a_name_comes_once():
    with pytest.raises(UsageError, match="'a=2'"):
        parse_named_numbers("a=1,a=2", "--x", ("a",))
