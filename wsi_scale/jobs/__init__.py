"""What a slide's job and a cohort are: folders of results, their owner and lock, and how a stage runs in them."""
