"""Recipes of the demo slides."""

from dataclasses import dataclass, field

from wsi_scale.synthesis.nuclei import NuclearAppearance
from wsi_scale.synthesis.stain import GREEN_INK, Stain
from wsi_scale.synthesis.texture import Texture


@dataclass(frozen=True)
class Recipe:
    """One demo slide; areas and counts are for a slide of 1 mm × 0.8 mm.

    Attributes
    ----------
    name
        The slide's file name without suffix.
    mpp
        True µm per pixel.
    header_factor
        µm per pixel in the header divided by the truth.
    stain
        The laboratory's dyes.
    radii_um
        Planted nuclear radii of equally wide vertical bands, from left to right.
    density
        Share of the area that scattered nuclei cover in the (stroma, cell-rich) parts.
    sheet
        Share of the tissue that is cell-rich.
    glands, vessels, holes
        How many.
    gland_um
        Smallest and largest radius of a gland.
    fat
        Share of the slide that is fat.
    fold, pen
        Whether there is a fold, a pen's stroke.
    texture
        The stroma's ground.
    waviness_um
        How far stroma fibres swing.
    appearance
        Appearance of the nuclei.
    blur_px, noise
        The scanner's.
    tissue
        False for a slide with nothing on it.
    """

    name: str
    mpp: float
    stain: Stain
    header_factor: float = 1.0
    radii_um: tuple[float, ...] = (3.0,)
    density: tuple[float, float] = (0.06, 0.26)
    sheet: float = 0.4
    glands: int = 0
    gland_um: tuple[float, float] = (34.0, 62.0)
    vessels: int = 0
    holes: int = 0
    fat: float = 0.0
    fold: bool = False
    pen: bool = False
    texture: Texture = field(default_factory=lambda: Texture((0.45, 1.0, 8.0), 0.18, fibre=0.24, fibre_um=(0.7, 12.0)))
    waviness_um: float = 22.0
    appearance: NuclearAppearance = field(default_factory=NuclearAppearance)
    blur_px: float = 0.55
    noise: float = 1.3
    tissue: bool = True

    @property
    def contents(self) -> tuple[str, ...]:
        """Names of the planted structures, for the table of truth."""
        planted = {
            "sizes": len(self.radii_um) > 1,
            "glands": self.glands,
            "vessels": self.vessels,
            "hole": self.holes,
            "fat": self.fat,
            "fold": self.fold,
            "pen": self.pen,
            "wrong-header": self.header_factor != 1.0,
            "no-tissue": not self.tissue,
        }
        return tuple(name for name, present in planted.items() if present)


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "demo-1_doubling",
        0.25,
        Stain((1.02, 1.22, 0.58), (0.10, 0.62, 0.31)),
        radii_um=(2.6, 5.2),
        density=(0.10, 0.27),
        sheet=0.55,
        vessels=3,
        holes=2,
    ),
    Recipe(
        "demo-2_glands",
        0.25,
        Stain((1.00, 1.18, 0.50), (0.13, 0.66, 0.30)),
        radii_um=(3.2,),
        density=(0.09, 0.16),
        sheet=0.3,
        glands=60,
        vessels=2,
        appearance=NuclearAppearance(pallor=0.35, chromatin=0.2, nucleolus=0.35),
    ),
    Recipe(
        "demo-3_fat-fold",
        0.35,
        Stain((0.92, 1.16, 0.55), (0.08, 0.74, 0.38)),
        radii_um=(2.8,),
        density=(0.07, 0.20),
        sheet=0.35,
        vessels=5,
        fat=0.34,
        fold=True,
        noise=1.8,
    ),
    Recipe(
        "demo-4_four-sizes",
        0.5,
        Stain((1.05, 1.16, 0.50), (0.26, 0.64, 0.27)),
        radii_um=(2.0, 2.8, 4.0, 5.6),
        density=(0.10, 0.22),
        sheet=0.4,
        holes=1,
        pen=True,
        # Pale nuclei with chromatin, in fibrous stroma: dark ones, close together, looked like two magnifications.
        appearance=NuclearAppearance(pallor=0.4, chromatin=0.22, halo=-0.3),
        blur_px=0.45,
    ),
    Recipe(
        "demo-5_header-2x",
        0.25,
        Stain((0.80, 0.98, 0.46), (0.09, 0.46, 0.23)),
        header_factor=2.0,
        radii_um=(3.0,),
        density=(0.09, 0.22),
        sheet=0.4,
        glands=22,
        vessels=3,
        holes=1,
        appearance=NuclearAppearance(pallor=0.4, chromatin=0.22, halo=-0.3),
    ),
    Recipe(
        "demo-6_cell-rich",
        0.3,
        Stain((1.12, 1.14, 0.52), (0.20, 0.58, 0.24), ink=GREEN_INK),
        radii_um=(2.3, 3.3),
        density=(0.16, 0.42),
        sheet=0.8,
        vessels=3,
        fold=True,
        pen=True,
        texture=Texture((0.5, 1.0, 3.0), 0.24, fibre=0.18),
        appearance=NuclearAppearance(pallor=0.1, chromatin=0.26, rim=0.3, halo=-0.45, halo_um=1.0, nucleolus=0.05),
    ),
    Recipe("demo-7_glass", 0.5, Stain((1.0, 1.2, 0.6), (0.1, 0.6, 0.3)), tissue=False),
)
