"""Leaves out the cases of the real hf-serve where it is not built; `test_the_real_hf_serve_is_built` then says so once."""

from __future__ import annotations

import pytest

from tests.hosts.harness import REAL_HF_SERVE, REAL_HOSTS_REQUIRED


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if REAL_HF_SERVE.exists() or REAL_HOSTS_REQUIRED:
        return
    left_out = [item for item in items if item.get_closest_marker("hosts")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
