"""Making networks smaller and tuning them: the one training loop, channels, bases, depth, and how to judge them."""
