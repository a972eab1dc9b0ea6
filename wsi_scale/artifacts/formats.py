"""Version number of the layout on disk, stored with arrays and tables and checked by readers."""

from pathlib import Path

from wsi_scale.errors import ArtifactError

#: Raised whenever a reader of the layout before would miss or mistake something.
FORMAT = 2
#: The layout that carried no number.
UNNUMBERED = 1


def check_format(path: Path, found: int, stage: str) -> None:
    """Raise an error for the layout of another version.

    Parameters
    ----------
    stage
        What writes the file or folder, for the message.

    Raises
    ------
    ArtifactError
        The layout is not that of this version.
    """
    if found != FORMAT:
        raise ArtifactError(
            f"{path} has the layout of another version (format {found}; this version reads {FORMAT}); "
            f"run `wsi-scale {stage}` again"
        )
