"""Results of drawn slides, servers on threads, and Chromium."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.runs import own_cache, shared
from tests.viewer.drawn import Serve, draw_slide, write_results
from wsi_scale.viewer.server import ViewerServer

__all__ = ["own_cache", "shared"]


@pytest.fixture(scope="session")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn slide."""
    return draw_slide(tmp_path_factory.mktemp("drawn") / "drawn.tiff")


@pytest.fixture(scope="session")
def results(slide: Path, own_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two slides, one of which is gone by now; not to be changed."""
    folder = tmp_path_factory.mktemp("viewed")
    gone = shutil.copy(slide, slide.parent / "gone.tiff")
    write_results(slide, folder / "slides" / "drawn", "drawn")
    write_results(Path(gone), folder / "slides" / "gone", "gone")
    Path(gone).unlink()
    return folder


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Start servers, which end with the session."""
    with ExitStack() as ending:

        def start(folder: Path) -> ViewerServer:
            server = ending.enter_context(ViewerServer(folder))
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            ending.callback(thread.join)
            ending.callback(server.shutdown)
            return server

        yield start


@pytest.fixture(scope="session")
def server(results: Path, serve: Serve) -> ViewerServer:
    """A server of the two slides."""
    return serve(results)
