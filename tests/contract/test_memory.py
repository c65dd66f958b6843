"""The memory connector keeps the contracts, so that other tests can rely on it."""

from __future__ import annotations

import pytest

from tests.contract.memory import MemorySinkRig, MemorySourceRig
from tests.contract.sink import SinkContract
from tests.contract.source import SourceContract


class TestMemorySource(SourceContract):
    @pytest.fixture
    def rig(self) -> MemorySourceRig:
        return MemorySourceRig()


class TestMemorySink(SinkContract):
    @pytest.fixture
    def rig(self) -> MemorySinkRig:
        return MemorySinkRig()
