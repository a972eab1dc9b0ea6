"""Names of the files that this program writes into a slide's results folder."""

SLIDE_INFO = "slide.json"
PREDICTION = "prediction.json"
TILES = "tiles.parquet"
THUMBNAIL = "thumbnail.jpg"
MASK = "tissue.png"
OVERLAY = "overlay.png"
#: The user's regions, if there are any; under no name that a user is likely to give his own file.
REGIONS = "tile-regions.geojson"
SCALE_MAP = "scale.ome.zarr"
GEOJSON = "tiles.geojson"
FEATURES = "features.zarr"
#: The page, of a slide and of a cohort.
PAGE = "report.html"
#: What was run, when and where, and how long it took; of a slide, and of a cohort.
RUNS = "runs.json"
#: Of a cohort, beside its report.
CALIBRATION = "calibration.json"
REGRESSOR = "regressor.safetensors"
STATUS = "status.tsv"
SLIDES_TABLE = "slides.tsv"
AUDIT = "audit.tsv"
