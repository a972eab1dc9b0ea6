"""Making networks smaller and tuning them; so far the one training loop."""
