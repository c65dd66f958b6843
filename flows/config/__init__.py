"""The models of `pipeline.yaml`, and what is wrong with a file."""
