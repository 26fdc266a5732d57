import pytest


@pytest.fixture(params=["cpu", "reference"])
def backend(request: pytest.FixtureRequest) -> str:
    """Run a test with the kernels and with their slow twin."""
    return request.param
