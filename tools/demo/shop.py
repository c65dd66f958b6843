"""A day of a web shop in a few seconds: its events with their times, and the mapping of the index.

Pure, and random from a seed: the same arguments give the same events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, NamedTuple

DAY = [(0.15, 0.005), (0.50, 0.98), (0.35, 0.015)]
"""Shares of the time and of the events: a quiet morning, the rush of a sale, a quiet evening."""

BROKEN = 5
"""Events of a day that cannot be stored; every second one is not even JSON."""

MAPPING: dict[str, Any] = {
    "properties": {
        "@timestamp": {"type": "date"},
        "type": {"type": "keyword"},
        "customer": {"properties": {"id": {"type": "keyword"}, "country": {"type": "keyword"}}},
        "order": {
            "properties": {
                "id": {"type": "keyword"},
                "items": {
                    "properties": {
                        "sku": {"type": "keyword"},
                        "quantity": {"type": "integer"},
                        "price": {"type": "double"},
                    }
                },
                "total": {"type": "double"},
            }
        },
        "payment": {
            "properties": {
                "method": {"type": "keyword"},
                "amount": {"type": "double"},
                "status": {"type": "keyword"},
            }
        },
        "page": {"properties": {"path": {"type": "keyword"}, "load_ms": {"type": "integer"}}},
        "browser": {"properties": {"name": {"type": "keyword"}, "mobile": {"type": "boolean"}}},
    }
}
"""The mapping of the index: a number here must be a number in every event."""

PRICES = {"kettle": 39.9, "teapot": 24.5, "cup": 6.2, "saucer": 4.8, "tea-strainer": 3.5}
COUNTRIES = ["AT", "CH", "DE", "ES", "FR", "GB", "IT", "JP", "PT", "US"]
BROWSERS = ["Chrome", "Edge", "Firefox", "Safari"]


class ShopEvent(NamedTuple):
    """An event in the shop."""

    due_at: float
    """Seconds from the beginning of the stream until it is published."""
    id: str
    type: str
    body: bytes


def day(events: int, seconds: float, begins_at: datetime, seed: int = 1) -> Iterator[ShopEvent]:
    """Make the events of one day, in order."""
    shop = _Shop(Random(seed))
    broken = {(number + 1) * events // (BROKEN + 1): number for number in range(BROKEN)}
    for position, due_at in enumerate(_times(events, seconds)):
        event = shop.order() if position in broken else shop.anything()
        event["@timestamp"] = (begins_at + timedelta(seconds=due_at)).isoformat(
            timespec="milliseconds"
        )
        body = json.dumps(event).encode()
        if position in broken:
            body = _break(event, broken[position])
        yield ShopEvent(due_at, f"event-{position:05d}", event["type"], body)


def _times(events: int, seconds: float) -> Iterator[float]:
    """When each event is due: `DAY`, evenly within each of its parts."""
    begins_at, left = 0.0, events
    for number, (time_share, event_share) in enumerate(DAY):
        is_last = number == len(DAY) - 1
        size = left if is_last else round(event_share * events)
        length = time_share * seconds
        for position in range(size):
            yield begins_at + length * position / size
        begins_at, left = begins_at + length, left - size


def _break(order: dict[str, Any], number: int) -> bytes:
    if number % 2:
        body = json.dumps(order).encode()
        return body[: len(body) // 2]
    order["order"]["total"] = "to be agreed"
    return json.dumps(order).encode()


class _Shop:
    """Generates the actions of customers."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._numbers = count(1)
        self._unpaid: list[dict[str, Any]] = []

    def anything(self) -> dict[str, Any]:
        """Most customers view pages, some order, and most of those pay."""
        chance = self._random.random()
        if chance < 0.70:
            return self._page_view()
        if chance < 0.84 and self._unpaid:
            return self._payment(self._unpaid.pop(0))
        order = self.order()
        self._unpaid.append(order)
        return order

    def order(self) -> dict[str, Any]:
        """A customer orders one to three things."""
        items: list[dict[str, Any]] = [
            {"sku": sku, "quantity": self._random.randint(1, 6), "price": PRICES[sku]}
            for sku in self._random.sample(list(PRICES), self._random.randint(1, 3))
        ]
        total = round(sum(item["quantity"] * item["price"] for item in items), 2)
        order = {"id": f"o-{next(self._numbers):05d}", "items": items, "total": total}
        return {"@timestamp": "", "type": "order", "customer": self._customer(), "order": order}

    def _payment(self, order: dict[str, Any]) -> dict[str, Any]:
        payment = {
            "method": self._random.choice(["card", "invoice", "transfer"]),
            "amount": order["order"]["total"],
            "status": "declined" if self._random.random() < 0.03 else "captured",
        }
        return {
            "@timestamp": "",
            "type": "payment",
            "customer": order["customer"],
            "order": {"id": order["order"]["id"]},
            "payment": payment,
        }

    def _page_view(self) -> dict[str, Any]:
        path = self._random.choice(["/", "/cart", *(f"/things/{sku}" for sku in PRICES)])
        return {
            "@timestamp": "",
            "type": "page_view",
            "customer": self._customer(),
            "page": {"path": path, "load_ms": round(self._random.lognormvariate(5, 0.5))},
            "browser": {
                "name": self._random.choice(BROWSERS),
                "mobile": self._random.random() < 0.6,
            },
        }

    def _customer(self) -> dict[str, Any]:
        number = int(self._random.paretovariate(0.4)) % 5000
        return {"id": f"c-{number:04d}", "country": COUNTRIES[number % len(COUNTRIES)]}
