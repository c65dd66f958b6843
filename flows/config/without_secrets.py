"""Shows a spec without its secrets, for the status of a process.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from connectors.url import without_password

HIDDEN = "***"


def without_secrets(value: object) -> Any:
    """Return what the file says, as JSON: passwords in URLs and other secrets become `***`.

    Keys with their default are left out; durations are in seconds, sizes in bytes.
    """
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, BaseModel):
        given = [key for key in type(value).model_fields if key in value.model_fields_set]
        return {key: without_secrets(getattr(value, key)) for key in given}
    if isinstance(value, Mapping):
        return {str(key): without_secrets(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [without_secrets(one) for one in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = "".join(value) if isinstance(value, str) else str(value)
    return without_password(text) if "://" in text else text
