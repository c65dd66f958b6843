"""A firewall before Elasticsearch: it refuses requests that contain a certain text."""

from __future__ import annotations

from tests.live.http_proxy import HttpProxy, Page


class Firewall(HttpProxy):
    """Passes on all other requests, and counts both kinds."""

    def __init__(self, url: str, text: bytes, page: Page) -> None:
        """Answer each request to `url` that has the text in its body by the page."""
        super().__init__(url)
        self.page, self.text = page, text
        self.refused = self.passed = 0

    def instead(self, body: bytes) -> Page | None:
        if self.text in body:
            self.refused += 1
            return self.page
        self.passed += 1
        return None
