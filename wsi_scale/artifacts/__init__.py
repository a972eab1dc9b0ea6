"""One module per thing on disk: its name, its schema, how it is written and how it is read."""
