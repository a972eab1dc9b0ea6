"""The number of the layout on disk: what holds arrays or rows carries it, and readers ask for it."""

from pathlib import Path

from wsi_scale.errors import ArtifactError

#: Raised whenever a reader of the layout before would miss or mistake something.
FORMAT = 2
#: The layout that carried no number.
UNNUMBERED = 1


def check_format(path: Path, found: int, stage: str) -> None:
    """Refuse the layout of another version.

    Parameters
    ----------
    stage
        What writes the file or folder, for the message.

    Raises
    ------
    ArtifactError
        It is another layout than this version's.
    """
    if found != FORMAT:
        raise ArtifactError(
            f"{path} has the layout of another version (format {found}; this version reads {FORMAT}); "
            f"run `wsi-scale {stage}` again"
        )
