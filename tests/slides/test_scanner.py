"""Which scanner made a slide."""

import pytest

from wsi_scale.slides.scanner import scanner_of


@pytest.mark.parametrize(
    ("vendor", "properties", "scanner"),
    [
        ("aperio", {"aperio.ScannerType": "GT450", "aperio.ScanScope ID": "SS45123"}, "aperio GT450 SS45123"),
        ("aperio", {}, "aperio"),
        ("hamamatsu", {"hamamatsu.Product": "C9600-12", "hamamatsu.NDP.S/N": "950291"}, "hamamatsu C9600-12 950291"),
        ("generic-tiff", {"tiff.Make": " Philips ", "tiff.Model": "UFS"}, "Philips UFS"),
        ("generic-tiff", {"tiff.Software": "tifffile.py"}, ""),
        ("ome-tiff", {}, ""),
        ("dicom", {"dicom.Manufacturer": "Leica", "dicom.ManufacturerModelName": "unknown"}, "Leica"),
    ],
)
def test_make_model_and_number_as_the_file_tells_them(vendor: str, properties: dict[str, str], scanner: str) -> None:
    assert scanner_of(vendor, properties) == scanner
