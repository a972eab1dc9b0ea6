"""Does the scale search help a task? `python -m benchmarks.helps`.

Three questions: what a correction of a wrong mpp is worth to a classifier, whether features at a tile's own optimal
mpp serve better than at a fixed one, and how far the radius that the search reads can be trusted on a single field.
"""
