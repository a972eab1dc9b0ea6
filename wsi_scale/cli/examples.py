"""Examples that the help of each command ends with; a test parses all of them."""

#: Name of a command, as it is typed after `wsi-scale`, → examples; "" is the program itself.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "": (
        "wsi-scale inspect slide.svs",
        "wsi-scale run slide.svs -o results/slide",
        "wsi-scale view results/slide",
        "wsi-scale workflow --cores 8 --config slides=/data/study",
    ),
    "run": (
        "wsi-scale run slide.svs -o results/slide",
        "wsi-scale run slide.svs -o results/slide --mpp 0.25 --network vgg19",
        "wsi-scale run slide.svs -o results/slide --set tiling.mpp=1.0",
        "wsi-scale run slide.svs --results results --stages inspect,predict",
    ),
    "inspect": (
        "wsi-scale inspect slide.svs",
        "wsi-scale inspect slide.svs --json",
        "wsi-scale inspect slide.svs -o results/slide",
    ),
    "predict": ("wsi-scale predict slide.svs -o results/slide",),
    "tile": (
        "wsi-scale tile slide.svs -o results/slide --set tiling.tile_px=256",
        "wsi-scale tile slide.svs -o results/slide --regions tumour.geojson",
    ),
    "search": ("wsi-scale search slide.svs -o results/slide --set network=vgg19",),
    "extract": ("wsi-scale extract slide.svs -o results/slide --set 'features.mpps=[0.5, 1.0]'",),
    "plot": ("wsi-scale plot results/slide",),
    "export": ("wsi-scale export results/slide --anndata slide.h5ad",),
    "unlock": ("wsi-scale unlock results/slide",),
    "sheet": ("wsi-scale sheet /data/study -o slides.tsv",),
    "fit": ("wsi-scale fit slides.tsv -o results",),
    "magnification": (
        "wsi-scale magnification predict slide.svs",
        "wsi-scale magnification audit /data/study -o audit",
    ),
    "magnification predict": (
        "wsi-scale magnification predict slide.svs image.png",
        "wsi-scale magnification predict /data/study -o mpp.tsv",
        "wsi-scale magnification predict slide.svs --json",
    ),
    "magnification audit": (
        "wsi-scale magnification audit /data/study -o audit",
        "wsi-scale magnification audit slides.tsv --json",
    ),
    "magnification breakhis": ("wsi-scale magnification breakhis BreaKHis_v1 -o results/breakhis",),
    "report": ("wsi-scale report results --slides slides.tsv",),
    "workflow": (
        "wsi-scale workflow --cores 8 --config slides=/data/study results=results",
        "wsi-scale workflow --configfile study.yaml --dry-run",
    ),
    "plan": ("wsi-scale plan /data/study --cores 16", "wsi-scale plan slides.tsv --like results --json"),
    "batch": ("wsi-scale batch /data/study --results results --cores 8",),
    "status": ("wsi-scale status results", "wsi-scale status results --json"),
    "view": ("wsi-scale view results",),
    "verify": ("wsi-scale verify results",),
    "calibrate": ("wsi-scale calibrate vgg19",),
    "train": ("wsi-scale train -o results/embedded --config configs/embedded.yaml",),
    "prune": ("wsi-scale prune channels vgg19 --data patches/ -o small.safetensors",),
    "prune layers": ("wsi-scale prune layers vgg19 -o cut.safetensors --set 'training.fields=[fields.tsv]'",),
    "prune channels": ("wsi-scale prune channels vgg19 --data patches/ -o small.safetensors",),
    "prune basis": ("wsi-scale prune basis vgg19 --data patches/ --keep-fraction 0.1 -o small.safetensors",),
    "finetune": ("wsi-scale finetune vgg19 --data patches/ --depth 1 -o tuned.safetensors",),
    "weights": ("wsi-scale weights list", "wsi-scale weights import vgg19 vgg19-dcbb9e9d.pth"),
    "weights list": ("wsi-scale weights list", "wsi-scale weights list --json"),
    "weights import": ("wsi-scale weights import vgg19 vgg19-dcbb9e9d.pth",),
    "weights verify": ("wsi-scale weights verify vgg19",),
    "config": (
        "wsi-scale config --explain tiling.mpp",
        "wsi-scale config --explain search --json",
        "wsi-scale config --write study.yaml",
    ),
    "demo": ("wsi-scale demo slides",),
    "doctor": ("wsi-scale doctor", "wsi-scale doctor --json"),
}


def examples_text(name: str) -> str:
    """Write a command's examples as the end of its help.

    Parameters
    ----------
    name
        As it is typed after `wsi-scale`.
    """
    lines = [example.replace("[", "\\[") for example in EXAMPLES[name]]  # `[` begins a style there
    return "\n".join(["[bold]Example[/bold]" if len(lines) == 1 else "[bold]Examples[/bold]", *lines])
