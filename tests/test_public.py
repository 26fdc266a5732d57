"""The package's face: its names, and that they come lazily."""

import subprocess
import sys

import pytest

import fourfold


@pytest.mark.parametrize("name", sorted(fourfold.__all__))
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(fourfold, name) is not None


def test_the_names_are_those_that_can_be_looked_up() -> None:
    assert set(fourfold.__all__) == {"__version__", *fourfold._HOMES}


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fourfold.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_it_imports_next_to_nothing() -> None:
    code = (
        "import sys, fourfold\n"
        "sys.exit(bool({'torch', 'numpy', 'tyro', 'fourfold.verbs'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
