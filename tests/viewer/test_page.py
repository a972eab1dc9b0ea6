"""The page in a real browser: what lies where, what keys and clicks do, and how quickly a large slide is there."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.runs import recorded, wsi_scale
from tests.viewer.drawn import GRID, MARKED, MARKED_BOX, OTHER, SILENT, Serve
from wsi_scale.artifacts.pictures import write_pictures
from wsi_scale.viewer.server import ViewerServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

#: What a text and its ground must differ by (WCAG 2, level AA), and what a large text must.
LEAST_CONTRAST = 4.5

CONTRASTS = """() => {
  const parts = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([red, green, blue]) => [red, green, blue].map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (element) => {
    for (let above = element; above; above = above.parentElement) {
      const color = parts(getComputedStyle(above).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("svg")) continue;
    const pair = [parts(getComputedStyle(element).color), ground(element)].map(light).sort((a, b) => b - a);
    found[`${element.tagName} ${element.textContent.slice(0, 30)}`] = (pair[0] + 0.05) / (pair[1] + 0.05);
  }
  return found;
}"""

#: Whether a pixel in the middle of the drawn slide is no longer blank.
SHOWN = """() => {
  const shown = document.querySelector("#slide canvas"), copy = document.createElement("canvas");
  if (!shown?.width) return false;
  copy.width = copy.height = 1;
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(shown, shown.width >> 1, shown.height >> 1, 1, 1, 0, 0, 1, 1);
  const [red, green, , alpha] = context.getImageData(0, 0, 1, 1).data;
  return alpha === 255 && red > green + 20;
}"""

#: Whether the names of two regions, whose corners lie apart by some pixels, are drawn.
NAMED = """async (apart) => {
  const module = new URL("static/cells.js", document.baseURI);
  const { drawCells, outlined } = await import(module);
  const canvas = document.body.appendChild(document.createElement("canvas"));
  Object.assign(canvas.style, { position: "fixed", width: "600px", height: "300px" });
  const square = (x, name) => ({ name, top: [x, 100], rings: [[[x, 100], [x + 90, 100], [x + 90, 190], [x, 190]]] });
  const drawn = (first, second) => {
    const regions = outlined([square(100, first), square(100 + apart, second)]);
    drawCells(canvas, (x, y) => ({ x, y }), { regions });
    return canvas.toDataURL();
  };
  drawn("", ""); // once read, a canvas may be drawn in another way from then on
  const both = drawn("first", "second");
  const told = [both !== drawn("", "second"), both !== drawn("first", "")];
  canvas.remove();
  return told;
}"""


@pytest.fixture
def page(chromium: "Browser") -> "Iterator[Page]":
    """A page whose console must stay empty."""
    context = chromium.new_context(viewport={"width": 1300, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    yield page
    context.close()
    assert complaints == []


def show(page: "Page", server: ViewerServer, fragment: str = "#slide=drawn") -> None:
    """Open the viewer, and wait until the slide and what lies on it are drawn."""
    page.goto("about:blank")
    page.goto(server.address + fragment)
    settle(page)


def settle(page: "Page") -> None:
    """Wait until what was asked for is drawn."""
    page.wait_for_timeout(150)
    page.locator("#stage[aria-busy=false]").wait_for()
    page.wait_for_timeout(100)


def stage(page: "Page") -> np.ndarray:
    """Picture of the slide with what lies on it, without legend and bars, (row, col, rgb)."""
    page.evaluate(
        "for (const id of ['legend', 'bars', 'zoom']) document.getElementById(id).style.visibility = 'hidden'"
    )
    return np.asarray(Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("RGB")).astype(int)


def square_of(picture: np.ndarray, cell_px: float, near: np.ndarray) -> np.ndarray:
    """Centre (x, y) and width of a dark square on white near a place, to a fraction of a pixel.

    What is not white, in its green, is counted along the row and the column through the place.
    """
    reach = round(cell_px)
    x, y = np.rint(near).astype(int)
    darkness = 1 - picture[y - reach : y + reach, x - reach : x + reach, 1] / 255
    across, down = darkness[reach - 3 : reach + 3].mean(axis=0), darkness[:, reach - 3 : reach + 3].mean(axis=1)
    places = np.arange(2 * reach) + 0.5
    centre = [x - reach + (across @ places) / across.sum(), y - reach + (down @ places) / down.sum()]
    return np.array([*centre, across.sum() / across.max()])


def address_of(page: "Page") -> dict[str, str]:
    # The page writes its address once nothing has changed for a while.
    page.wait_for_timeout(600)
    script = "() => Object.fromEntries(new URLSearchParams(location.hash.slice(1)))"
    found: dict[str, str] = page.evaluate(script)
    return found


@pytest.mark.parametrize(("view", "ratio"), [("", 1), ("&x=1180&y=500&zoom=0.9", 1.5), ("&x=1080&y=420&zoom=2.37", 2)])
def test_the_map_lies_on_the_slide_to_a_pixel(
    chromium: "Browser", server: ViewerServer, view: str, ratio: float
) -> None:
    context = chromium.new_context(viewport={"width": 1300, "height": 800}, device_scale_factor=ratio)
    page = context.new_page()

    show(page, server, f"#slide=drawn&overlay=none{view}")
    slide = stage(page)
    show(page, server, f"#slide=drawn&overlay=optimal_mpp&opacity=1{view}")
    drawn, seen = stage(page), address_of(page)
    context.close()

    cell_px = 64 * float(seen["zoom"]) * ratio
    middle = np.array(MARKED_BOX[:2]) + 32 - (float(seen["x"]), float(seen["y"]))
    expected = np.array(slide.shape[1::-1]) / 2 + middle / 64 * cell_px
    away = np.subtract(OTHER, MARKED)[::-1] * cell_px
    of_slide, of_map = square_of(slide, cell_px, expected), square_of(drawn, cell_px, expected + away)
    np.testing.assert_allclose(of_map[:2] - away, of_slide[:2], atol=0.75)
    np.testing.assert_allclose([of_map[2], of_slide[2]], cell_px, rtol=0.02)


def test_cells_of_low_confidence_hide_until_they_are_asked_for(page: "Page", server: ViewerServer) -> None:
    show(page, server, "#slide=drawn&opacity=1")
    hidden = page.locator("#legend").inner_text()
    before = stage(page)

    page.locator("#least").fill("0")
    settle(page)

    assert "1 of low confidence hidden" in hidden
    assert "hidden" not in page.locator("#legend").inner_text()
    changed = np.abs(stage(page) - before).max(axis=2) > 40
    assert changed[:400].any()


def test_each_overlay_has_its_legend(page: "Page", server: ViewerServer) -> None:
    show(page, server)
    offered = page.locator("#overlay option").evaluate_all("all => all.map((one) => one.value)")
    assert offered == [
        "optimal_mpp", "dominant_radius_um", "confidence", "finest_mpp", "tissue", "reason", "none",
    ]  # fmt: skip
    legends = {}
    for key in offered:
        page.locator("#overlay").select_option(key)
        settle(page)
        legends[key] = page.locator("#legend").inner_text()

    assert "optimal mpp, µm/px" in legends["optimal_mpp"]
    assert "dominant radius, µm" in legends["dominant_radius_um"]
    assert "1 tile: too few channels prefer a scale" in legends["reason"]
    assert f"{GRID.rows * GRID.cols - 4} places: too little tissue for a tile" in legends["reason"]
    assert "tissue" in legends["tissue"]
    assert legends["none"] == ""


def test_regions_are_outlined_and_named_until_they_are_not_asked_for(page: "Page", server: ViewerServer) -> None:
    show(page, server, "#slide=drawn&overlay=none&x=300&y=300&zoom=1")
    outlined = stage(page)

    page.locator("#regions").uncheck()
    settle(page)
    plain = stage(page)

    # The corner at (100, 200) lies 200 px left of the middle and 100 px above it.
    y, x = plain.shape[0] // 2 - 100, plain.shape[1] // 2 - 200
    changed = np.abs(outlined - plain).max(axis=2) > 100
    assert changed[y - 1 : y + 1, x : x + 300].any(axis=0).all()
    assert changed[y : y + 200, x - 1 : x + 1].any(axis=1).all()
    assert changed[y + 5 : y + 20, x + 6 : x + 50].any()
    assert not changed[: y - 3].any()
    assert address_of(page)["regions"] == "0"


@pytest.mark.parametrize(("apart", "named"), [(20, [True, False]), (120, [True, True])])
def test_a_name_that_would_cover_another_is_left_out(
    page: "Page", server: ViewerServer, apart: int, named: list[bool]
) -> None:
    show(page, server)

    assert page.evaluate(NAMED, apart) == named


def test_under_the_pointer_are_reason_and_region_in_words(page: "Page", server: ViewerServer) -> None:
    row, col = SILENT
    show(page, server, f"#slide=drawn&overlay=reason&x={64 + 64 * col}&y={64 + 64 * row}&zoom=1")
    box = page.locator("#stage").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    assert page.locator("#said").inner_text() == (
        f"row {row}, column {col} · no optimal mpp: too few channels prefer a scale · "
        "core A: Tumor; 4 tiles, 3 with an optimal mpp, median 0.5 µm/px"
    )


def test_bars_are_as_long_as_claim_and_estimate_make_them(page: "Page", server: ViewerServer) -> None:
    show(page, server, "#slide=drawn&x=900&y=600&zoom=1")

    words = page.locator("#bars p").all_inner_texts()
    claimed, estimated = page.locator("#bars div").evaluate_all(
        "bars => bars.map((bar) => bar.getBoundingClientRect().width)"
    )

    assert words == ["50 µm by the claim", "50 µm by the estimate"]
    # 50 µm are 100 pixels of 0.5 µm, and 83 of 0.6.
    np.testing.assert_allclose([claimed, estimated], [100, 50 / 0.6], atol=0.5)


def test_it_pans_and_zooms_by_mouse_and_a_link_restores_the_view(page: "Page", server: ViewerServer) -> None:
    show(page, server, "#slide=drawn&x=950&y=650&zoom=1")
    page.mouse.move(700, 450)
    page.mouse.down()
    page.mouse.move(600, 400, steps=5)
    page.mouse.up()
    page.mouse.move(700, 450)
    page.mouse.wheel(0, -300)
    page.locator("#overlay").select_option("confidence")
    settle(page)
    seen = address_of(page)
    picture = stage(page)

    link = page.url
    page.goto("about:blank")
    page.goto(link)
    settle(page)

    assert float(seen["x"]) > 960
    assert float(seen["zoom"]) > 1.05
    assert address_of(page) == seen
    assert np.abs(stage(page) - picture).max(axis=2).mean() < 1


def test_a_click_shows_the_tile_at_its_optimal_mpp_and_escape_closes_it(page: "Page", server: ViewerServer) -> None:
    x, y, width, height = MARKED_BOX
    show(page, server, f"#slide=drawn&x={x + width / 2}&y={y + height / 2}&zoom=1")

    middle = page.locator("#slide").bounding_box()
    assert middle is not None
    page.mouse.click(middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2)
    page.locator("#tile img").nth(1).wait_for()
    settle(page)

    assert page.locator("#tile-title").inner_text() == "Tile in row {}, column {}".format(*MARKED)
    assert "2 µm/px" in page.locator("#numbers").inner_text()
    assert [page.locator(f"#{part}").count() for part in ("curves svg", "views .frame")] == [1, 1]
    widths = page.locator("#views img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert widths == [2 * GRID.tile_px, GRID.tile_px]
    assert address_of(page)["tile"] == "6,17"
    page.keyboard.press("Escape")
    assert page.locator("#tile").is_hidden()
    assert "tile" not in address_of(page)


def test_all_of_it_works_by_keys(page: "Page", server: ViewerServer) -> None:
    show(page, server, "#slide=drawn&x=1128&y=424&zoom=1")
    reached = []
    while len(reached) < 20 and "BODY" not in reached:
        page.keyboard.press("Tab")
        focused = page.evaluate("[document.activeElement.id, document.activeElement.tagName]")
        reached.append(focused[0] or focused[1])
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or "BODY" in reached
    assert {"copy", "overlay", "opacity", "least", "slide", "in", "out", "home"} <= set(reached)
    before = {name: float(address_of(page)[name]) for name in ("x", "y", "zoom")}

    page.locator("#slide").focus()
    page.keyboard.press("Enter")
    page.locator("#tile img").nth(1).wait_for()
    opened = page.locator("#tile-title").inner_text()
    page.keyboard.press("Escape")
    for key in ("ArrowRight", "ArrowDown", "+"):
        page.keyboard.press(key)
    settle(page)
    after = {name: float(address_of(page)[name]) for name in ("x", "y", "zoom")}
    page.keyboard.press("0")
    settle(page)
    home = float(address_of(page)["zoom"])

    assert opened == "Tile in row 6, column 17"
    assert all(after[name] > before[name] for name in ("x", "y", "zoom"))
    assert home < before["zoom"]


def test_a_slide_that_is_gone_is_shown_by_its_thumbnail_with_a_line(page: "Page", server: ViewerServer) -> None:
    show(page, server)

    page.get_by_role("button", name="gone").click()
    settle(page)

    assert "the thumbnail is shown, not the slide" in page.locator("#without").inner_text()
    assert page.locator("#title").inner_text() == "gone"
    assert page.locator("#overlay").input_value() == "optimal_mpp"
    assert np.abs(stage(page)[300, 500] - (250, 220, 90)).max() < 15


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_shows_all_of_it_readably(chromium: "Browser", server: ViewerServer, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 420, "height": 780}, color_scheme=scheme, has_touch=True)  # type: ignore[arg-type]
    page = context.new_page()
    show(page, server, "#slide=drawn&tile=6,17")
    panel = page.locator("#tile img").nth(1)
    panel.wait_for()
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    contrasts = page.evaluate(CONTRASTS)
    page.locator("#close").click()
    page.locator("#menu").click()
    page.get_by_role("button", name="gone").tap()
    settle(page)
    contrasts |= page.evaluate(CONTRASTS)
    title = page.locator("#title").inner_text()
    listed = page.locator("#slides").is_visible()
    context.close()

    assert overflow <= 0
    assert (title, listed) == ("gone", False)
    assert len(contrasts) > 15
    assert {words: round(ratio, 2) for words, ratio in contrasts.items() if ratio < LEAST_CONTRAST} == {}


def test_nothing_is_asked_of_any_other_machine(page: "Page", server: ViewerServer) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    show(page, server)

    own = (server.address, f"blob:http://127.0.0.1:{server.server_port}/", "about:blank")
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(own)] == []


def write_large(path: Path) -> Path:
    """Write 100,000 × 80,000 px of one colour as a pyramid of JPEG tiles, some 70 MB."""
    side = 512
    stream = io.BytesIO()
    Image.new("RGB", (side, side), (200, 120, 160)).save(stream, "JPEG", quality=80, optimize=True)
    tile = stream.getvalue()
    width, height = 100_000, 80_000
    with tifffile.TiffWriter(path, bigtiff=False) as tiff:
        for level in range(0, 8, 2):
            shape = (height >> level, width >> level, 3)
            count = -(-shape[0] // side) * -(-shape[1] // side)
            tiff.write(
                iter([tile] * count), shape=shape, dtype=np.uint8, tile=(side, side), compression="jpeg",
                photometric="ycbcr", subsampling=(2, 2), subfiletype=1 if level else 0, metadata=None,
                resolution=(40_000 >> level, 40_000 >> level), resolutionunit="CENTIMETER",
            )  # fmt: skip
    return path


def test_a_very_large_slide_is_there_within_two_seconds(page: "Page", serve: Serve, tmp_path: Path) -> None:
    slide = write_large(tmp_path / "large.tiff")
    assert slide.stat().st_size < 100e6
    assert wsi_scale("inspect", slide, "-o", tmp_path / "result").exit_code == 0
    thumbnail = np.full((1638, 2048, 3), (200, 120, 160), np.uint8)
    write_pictures(tmp_path / "result", thumbnail, np.ones(thumbnail.shape[:2], np.bool_), thumbnail)
    recorded(tmp_path / "result", "tile")
    server = serve(tmp_path / "result")

    before = time.monotonic()
    page.goto(server.address)
    page.wait_for_function(SHOWN, timeout=20_000)
    took = time.monotonic() - before

    settle(page)
    assert page.evaluate(SHOWN)
    print(f"first view of 100,000 × 80,000 px: {took:.2f} s")  # noqa: T201
    # It takes half a second; others may be at work on the machine.
    assert took < 4
