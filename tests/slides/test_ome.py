"""Images are found where OME-XML places them in this file."""

import pytest

from wsi_scale.slides.ome import parse_ome

OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0" Name="a"><Pixels DimensionOrder="XYCZT" SizeC="3" SizeZ="1" SizeT="1">'
    '<TiffData IFD="2"/></Pixels></Image>'
    '<Image ID="Image:1" Name="b"><Pixels DimensionOrder="XYCZT" SizeC="2" SizeZ="1" SizeT="1">'
    '<TiffData IFD="0"><UUID FileName="other.ome.tif">x</UUID></TiffData>'
    '<TiffData IFD="5"><UUID FileName="own.ome.tif">y</UUID></TiffData></Pixels></Image></OME>'
)


def test_ome_images_are_found_where_they_lie_in_this_file() -> None:
    assert [(image.index, image.name, image.first) for image in parse_ome(OME, "own.ome.tif")] == [
        (0, "a", 2),
        (1, "b", 5),
    ]


@pytest.mark.parametrize("broken", [OME[:-20], "", "no XML OME>", OME.replace("<OME", '<!ENTITY a "b"><OME', 1)])
def test_broken_ome_declares_nothing(broken: str) -> None:
    assert parse_ome(broken, "own.ome.tif") == ()
