"""Which scanner made a slide, as far as the file tells."""

from collections.abc import Mapping

#: Names under which OpenSlide passes on make, model and serial number, by vendor of the format.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "aperio": ("aperio.ScannerType", "aperio.ScanScope ID"),
    "dicom": ("dicom.Manufacturer", "dicom.ManufacturerModelName", "dicom.DeviceSerialNumber"),
    "hamamatsu": ("hamamatsu.Product", "hamamatsu.NDP.S/N"),
    "leica": ("leica.device-model", "leica.device-version"),
    "philips": ("philips.DICOM_MANUFACTURERS_MODEL_NAME", "philips.DICOM_DEVICE_SERIAL_NUMBER"),
    "ventana": ("ventana.ScannerModel", "ventana.UnitNumber"),
}
#: The names in plain TIFF files, and formats that no scanner's maker stands for.
_TIFF_NAMES = ("tiff.Make", "tiff.Model")
_MAKERLESS = ("array", "dicom", "generic-tiff", "ome-tiff", "tiff", "unknown")


def scanner_of(vendor: str, properties: Mapping[str, str]) -> str:
    """Make, model and serial number of the scanner; at least the maker of its format, or "" if none is known.

    >>> scanner_of("aperio", {"aperio.ScanScope ID": "SS1302"}), scanner_of("mirax", {})
    ('aperio SS1302', 'mirax')
    >>> scanner_of("dicom", {"dicom.Manufacturer": "Unknown"})
    ''
    """
    values = [properties.get(name, "").strip() for name in _NAMES.get(vendor, _TIFF_NAMES)]
    known = [value for value in values if value and value.casefold() != "unknown"]
    return " ".join(known if vendor in _MAKERLESS else [vendor, *known])
