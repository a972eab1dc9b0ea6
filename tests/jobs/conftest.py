from tests.runs import finished, finished_copy, own_cache, shared, small_slide

__all__ = ["finished", "finished_copy", "own_cache", "shared", "small_slide"]
