"""Traces of OpenTelemetry; a job without `traces` imports nothing of it."""
