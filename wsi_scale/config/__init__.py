"""What users configure."""
