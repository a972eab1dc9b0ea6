"""Variants of the covariant scale search, one factor at a time, on responses that are computed once."""
