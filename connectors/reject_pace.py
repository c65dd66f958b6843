"""What both limits on rejections have in common: that of a consumer, and that of a state's groups.

`connectors/rabbitmq/circuit_breaker.py` and `flows/outcomes/refused_groups.py` apply it.
"""

from __future__ import annotations

MIN_RUN = 20
"""Rejections without anything stored in between: with ten an hour, two hours."""
MIN_RUN_SECONDS = 10.0
"""Bad messages come in bursts; a stream that is not slow stores some message in that time."""
FIRST_PAUSE = 1.0
"""Seconds before the first probe."""
MAX_PAUSE = 300.0
"""Seconds: a probe parks one message, so that is less than 300 a day."""
