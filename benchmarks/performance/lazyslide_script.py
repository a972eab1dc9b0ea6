"""Extract with LazySlide, in its environment: a request as JSON → seconds as JSON, features as .npz."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import lazyslide
import numpy as np
import torch
from safetensors.torch import load_file
from torchvision.models import vgg19
from torchvision.transforms import v2
from wsidata import WSIData, open_wsi

#: torchvision's ImageNet mean and standard deviation of RGB in 0–1.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pooled(torch.nn.Module):
    """The first modules of VGG19, averaged over space."""

    def __init__(self, weights: str, modules: int) -> None:
        super().__init__()
        self.features = vgg19(weights=None).features[:modules]
        state = {name.removeprefix("features."): value.float() for name, value in load_file(weights).items()}
        self.features.load_state_dict({name: state[name] for name in self.features.state_dict()})

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (image, channel), float32."""
        means: torch.Tensor = self.features(images).mean(dim=(2, 3), dtype=torch.float32)
        return means


def extract(request: dict[str, Any], slide: str, network: Pooled) -> tuple[WSIData, float]:
    """Lay tiles on a slide and extract their features; the seconds of the extraction alone."""
    wsi = open_wsi(slide, store=None)
    lazyslide.pp.tile_tissues(wsi, request["tile_px"], mpp=request["mpp"], background_filter=False)
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    short = request["dtype"] != "float32"
    start = time.perf_counter()
    lazyslide.tl.feature_extraction(
        wsi, network, model_name="vgg19", transform=transform, device="cpu", batch_size=request["batch"], pbar=False,
        amp=short, autocast_dtype=torch.bfloat16 if short else None,
    )  # fmt: skip
    return wsi, time.perf_counter() - start


def main() -> None:
    """Extract from a small slide first, so that nothing is loaded for the first time."""
    request = json.loads(sys.argv[1])
    network = Pooled(request["weights"], request["modules"]).eval()
    extract(request, request["first"], network)
    wsi, seconds = extract(request, request["slide"], network)
    bounds = wsi.shapes["tiles"].bounds
    corners = np.stack([bounds["minx"], bounds["miny"]], axis=1).round().astype(np.int64)
    np.savez(Path(request["target"]), corners=corners, features=np.asarray(wsi.tables["vgg19_tiles"].X))
    versions = {"lazyslide": lazyslide.__version__, "reader": type(wsi.reader).__name__}
    print(json.dumps({"seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main()
