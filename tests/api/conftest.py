from tests.runs import finished, own_cache, shared, small_slide

__all__ = ["finished", "own_cache", "shared", "small_slide"]
