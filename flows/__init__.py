"""What the job does: the flow, its steps, and the spec that declares it."""
