from fourfold.errors import (
    FourfoldError,
    InputError,
    MissingDependencyError,
    OutputError,
    ResultError,
    UsageError,
)


def test_an_error_names_file_frame_expectation_and_mend():
    error = InputError(
        "mask is 4x4 pixels", path="m.png", frame=12, expected="8x8", mend="Scale it."
    )
    assert str(error) == "m.png, frame 12: mask is 4x4 pixels; expected 8x8. Scale it."


def test_parts_may_be_left_out():
    assert str(InputError("no frames")) == "no frames."
    assert str(InputError("no frames", path="a")) == "a: no frames."
    assert str(InputError("no frames", frame="7")) == "frame 7: no frames."


def test_exit_codes():
    assert FourfoldError.exit_code == 1
    assert ResultError("NaN").exit_code == 1
    for kind in (InputError, UsageError, OutputError):
        assert kind("x").exit_code == 2
        assert isinstance(kind("x"), InputError)


def test_a_missing_package_names_the_extra():
    error = MissingDependencyError("the viewer", package="viser", extra="view")
    assert 'pip install "fourfold[view]"' in str(error)
