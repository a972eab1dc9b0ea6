"""Jobs of slides and cohorts: results folders, their owner and lock, and how a stage runs in them."""
