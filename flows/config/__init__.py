"""The models of `pipeline.yaml`, and the errors of a file."""
