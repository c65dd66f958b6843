"""Whether everything is still there, and how the job is."""
