"""The renamed keys of `pipeline.yaml`: the error about an old name gives the new one."""

from __future__ import annotations

RENAMED_KEYS = {
    "groups_most": "max_groups",
    "most_deliveries": "max_deliveries",
}
