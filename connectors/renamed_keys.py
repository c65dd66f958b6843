"""The keys of `pipeline.yaml` that have a new name: each old name is answered with the new one."""

from __future__ import annotations

RENAMED_KEYS = {
    "groups_most": "max_groups",
    "most_deliveries": "max_deliveries",
}
