"""What reduced groups become."""
