"""Tests of pipelines: `tests:` in `pipeline.yaml`, and `*.test.yaml` beside it."""
