"""One offline server for the tests that only ask it; those that need faults start their own."""

from collections.abc import Iterator

import pytest

from dream.models.offline import RunningServer, start


@pytest.fixture(scope="session")
def offline_server() -> Iterator[RunningServer]:
    with start() as server:
        yield server
