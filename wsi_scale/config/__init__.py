"""Configuration of the program."""
