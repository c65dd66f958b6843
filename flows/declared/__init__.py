"""The models of `pipeline.yaml`, and how a file becomes one of them."""
