"""Whether all that was received adds up, and how the job is."""
