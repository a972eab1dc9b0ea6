"""A slide and the folder of its results."""

from dataclasses import dataclass
from pathlib import Path

from wsi_scale.artifacts.state import FolderState
from wsi_scale.slides.identity import slide_identity, slide_stamp
from wsi_scale.slides.sheet import SheetRow

#: Name of the folder that a cohort's slides have theirs in.
SLIDES = "slides"


@dataclass(frozen=True)
class SlideJob:
    """A slide and the folder of its results."""

    row: SheetRow
    folder: Path
    overwrite: bool = False

    @property
    def results(self) -> Path | None:
        """Folder of the cohort's results; None for a folder with the results of one slide only."""
        # As it was given first: a slide's folder may be a link. `.` and `name` say only resolved where they lie.
        ways = (self.folder, self.folder.resolve())
        return next((folder.parent.parent for folder in ways if folder.parent.name == SLIDES), None)

    @property
    def group(self) -> str:
        """Group that a split keeps together: the sheet's, else the slide itself."""
        return self.row.group or self.row.slide_id

    def identity(self, state: FolderState | None = None) -> str:
        """Identity of the slide's content; read from the cache if the slide's stamp has not changed.

        Raises
        ------
        SlideError, ArtifactError
            The slide does not exist, is neither a file nor a folder, or cannot be read.
        """
        path = self.row.path
        known = state or FolderState(self.folder)
        return known.identity(path, slide_stamp(path), lambda: slide_identity(path))
