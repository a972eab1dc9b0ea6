"""The server: who gets an answer, what is there, and what stands for what is not."""

import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.runs import error_line, in_child, wsi_scale
from tests.viewer.drawn import BLUE, GLASS, GRID, MARKED, MARKED_BOX, REGION, SILENT, Serve, scale_map, write_results
from wsi_scale.artifacts.status import StatusRow, write_status
from wsi_scale.viewer.server import ViewerServer


class Answered(NamedTuple):
    """What a server sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def values(self) -> object:
        return json.loads(self.body)

    @property
    def pixels(self) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.body)).convert("RGB"))


def ask(server: ViewerServer, rest: str, *, method: str = "GET", token: bool = True, host: str = "") -> Answered:
    """Ask for an address below the viewer's, or for a path of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    path = urlsplit(server.address).path + rest if token else rest
    connection.request(method, path, headers={"Host": host} if host else {})
    found = connection.getresponse()
    answered = Answered(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
    connection.close()
    return answered


def test_only_who_has_the_key_gets_an_answer(server: ViewerServer) -> None:
    token = urlsplit(server.address).path.strip("/")

    for path in ("/", "/slides", f"/{token}", f"/{token[:-1]}/", f"/{token.swapcase()}/slides", "/%00/", "/%C3%A9/"):
        refused = ask(server, path, token=False)
        assert refused.status == 403, path
        assert refused.headers["content-type"].startswith("text/plain")
        assert "copy the whole address" in refused.body.decode()
    assert ask(server, "").status == 200
    assert len(token) >= 32


def test_a_page_that_resolves_its_own_name_to_this_machine_gets_nothing(server: ViewerServer) -> None:
    for host in ("attacker.example", "attacker.example:80", "127.0.0.1.attacker.example", "[::1]:80", "localhost:x"):
        assert ask(server, "slides", host=host).status == 403, host
    # At the other end of a tunnel the port is another.
    for host in ("localhost:9999", "127.0.0.1:1", "localhost"):
        assert ask(server, "slides", host=host).status == 200, host


def test_it_listens_on_this_machine_alone(server: ViewerServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with socket.socket() as other:
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", server.server_port)) != 0


@pytest.mark.parametrize(
    "rest",
    [
        "static/../server.py", "static/%2e%2e/server.py", "../../../etc/passwd", "//etc/passwd", "static/", "static",
        "static/vendor/openseadragon-LICENSE.txt", "slides/99", "slides/-1", "slides/0/", "slides/0/tiles/0/0_0/..",
        "slides/0/channels/..", "slides/0/channels/nothing", "slides/0/tiles/99/0_0", "slides/0/tiles/11/9_9",
        "slides/0/places/0/0", "slides/0/places/99/99", "slides/0/places/6/17/other", "slides/1/places/6/17/native",
    ],
)  # fmt: skip
def test_nothing_else_is_there(server: ViewerServer, rest: str) -> None:
    assert ask(server, rest).status == 404


def test_every_answer_forbids_what_the_page_does_not_need(server: ViewerServer) -> None:
    for rest in ("", "slides", "slides/0/tiles/0/0_0", "nothing"):
        headers = ask(server, rest).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "Python" not in headers["server"]


def test_it_changes_nothing_and_takes_nothing(server: ViewerServer) -> None:
    assert {ask(server, "slides", method=method).status for method in ("POST", "PUT", "DELETE", "OPTIONS")} == {501}
    head = ask(server, "slides", method="HEAD")
    assert (head.status, head.body) == (200, b"")


def test_a_browser_is_let_in_once_without_the_key(server: ViewerServer) -> None:
    path = urlsplit(server.ticket()).path

    first, second = ask(server, path, token=False), ask(server, path, token=False)

    assert (first.status, first.headers["location"]) == (302, urlsplit(server.address).path)
    assert second.status == 403


def test_the_page_and_all_that_it_names_are_there(server: ViewerServer) -> None:
    page = ask(server, "").body.decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    named += [
        f"static/{name}" for file in named if file.endswith(".js")
        for name in re.findall(r'from "\./([^"]+)"', ask(server, file).body.decode("utf-8", "replace"))
    ]  # fmt: skip

    assert len(named) > 6
    assert {name: ask(server, name).status for name in named} == dict.fromkeys(named, 200)
    assert not re.search(r"https?://", page)


def test_slides_are_listed_with_status_and_verdict(server: ViewerServer) -> None:
    drawn, gone = ask(server, "slides").values  # type: ignore[misc]

    assert (drawn["id"], drawn["state"], drawn["verdict"]) == ("drawn", "ok", ["good", "agrees"])
    assert (gone["id"], gone["number"]) == ("gone", 1)


def test_two_runs_of_one_slide_are_told_apart(results: Path, serve: Serve, tmp_path: Path) -> None:
    for name in ("first", "own-mpp"):
        shutil.copytree(results / "slides" / "drawn", tmp_path / name)
    listed = ask(serve(tmp_path), "slides").values
    assert [row["id"] for row in listed] == ["drawn (first)", "drawn (own-mpp)"]  # type: ignore[index]


def test_tiles_are_the_slide_s_own_pixels(server: ViewerServer) -> None:
    image = ask(server, "slides/0").values["image"]  # type: ignore[index]
    x, y, *_ = MARKED_BOX

    tile = ask(server, f"slides/0/tiles/{image['finest']}/{x // 512}_{y // 512}").pixels
    overview = ask(server, f"slides/0/tiles/{image['finest'] - 2}/0_0").pixels

    assert (image["width"], image["height"], tile.shape) == (1900, 1300, (513, 514, 3))
    left, top = x % 512 + 1, y % 512
    assert np.abs(tile[top + 4 : top + 60, left + 4 : left + 60].astype(int) - BLUE).max() < 12
    assert tile[top - 8, left - 8].min() > 240
    assert overview.shape == (325, 475, 3)
    assert np.abs(overview[y // 4 + 8, x // 4 + 8].astype(int) - BLUE).max() < 24


def test_an_overview_is_cut_from_the_thumbnail_as_far_as_that_is_sharp(server: ViewerServer) -> None:
    finest = ask(server, "slides/0").values["image"]["finest"]  # type: ignore[index]

    coarse, sharp = (ask(server, f"slides/0/tiles/{level}/0_0").pixels for level in (finest - 4, finest - 2))

    assert coarse.shape == (82, 119, 3)
    assert np.abs(coarse.astype(int) - (250, 220, 90)).max() < 12
    assert sharp[-1, -1].min() > 240


def test_channels_and_reasons_are_the_map_s(server: ViewerServer) -> None:
    found = scale_map()
    shape = (GRID.rows, GRID.cols)

    for label in ("optimal_mpp", "confidence", "dominant_radius_um"):
        values = np.frombuffer(ask(server, f"slides/0/channels/{label}").body, "<f4").reshape(shape)
        np.testing.assert_array_equal(values, found.channel(label))
    codes = np.frombuffer(ask(server, "slides/0/channels/reason").body, np.uint8).reshape(shape)
    np.testing.assert_array_equal(codes, found.reason)


def test_a_tile_is_told_with_views_of_the_right_fields(server: ViewerServer) -> None:
    row, col = MARKED

    told = ask(server, f"slides/0/places/{row}/{col}").values
    silent = ask(server, "slides/0/places/{}/{}".format(*SILENT)).values
    native = ask(server, f"slides/0/places/{row}/{col}/native").pixels
    optimal = ask(server, f"slides/0/places/{row}/{col}/optimal").pixels

    assert isinstance(told, dict)
    assert isinstance(silent, dict)
    assert ["optimal mpp", "2 µm/px"] in told["numbers"]
    assert told["curves"] == {"C3_1": [None, 0.2, 0.5, 0.9, 0.4]}
    assert (silent["optimal"], silent["reason"]) == (None, "too few channels prefer a scale")
    assert (told["native"]["mpp"], told["native"]["where"], told["region"]) == (0.5, "level 0", "core A")
    # The tile is 64 µm wide, blue in the middle half; 64 px at 2 µm/px show twice that, blue in the middle quarter.
    assert (native.shape, optimal.shape) == ((128, 128, 3), (64, 64, 3))
    assert [share_blue(native), share_blue(optimal)] == pytest.approx([1 / 4, 1 / 16], abs=0.02)


def share_blue(pixels: np.ndarray) -> float:
    return float((np.abs(pixels.astype(int) - BLUE).max(axis=2) < 100).mean())


def test_the_thumbnail_stands_for_a_slide_that_is_gone_and_a_line_says_so(server: ViewerServer) -> None:
    told = ask(server, "slides/1").values
    assert isinstance(told, dict)
    place = ask(server, "slides/1/places/{}/{}".format(*MARKED)).values
    assert isinstance(place, dict)

    tile = ask(server, f"slides/1/tiles/{told['image']['finest']}/1_1").pixels

    assert told["image"]["width"] == 1900
    assert any("the thumbnail is shown, not the slide" in note and "gone.tiff" in note for note in told["notes"])
    assert "gone.tiff" in place["problem"]
    assert np.abs(tile.astype(int) - (250, 220, 90)).max() < 12
    assert told["overlays"]


def test_a_slide_that_was_replaced_is_not_shown_under_a_map_of_another(
    slide: Path, serve: Serve, tmp_path: Path
) -> None:
    own = Path(shutil.copy(slide, tmp_path / "own.tiff"))
    write_results(own, tmp_path / "result", "own")
    server = serve(tmp_path / "result")
    assert ask(server, "slides/0").values["notes"] == []  # type: ignore[index]

    own.write_bytes(own.read_bytes()[:-1] + b"\0\0")

    (note,) = ask(server, "slides/0").values["notes"]  # type: ignore[index]
    assert "has changed since these results were made" in note


def test_regions_are_told_with_their_outlines_and_what_their_tiles_say(server: ViewerServer) -> None:
    (region,) = ask(server, "slides/0").values["regions"]  # type: ignore[index]

    assert (region["name"], region["words"]) == ("core A", "Tumor; 4 tiles, 3 with an optimal mpp, median 0.5 µm/px")
    assert region["rings"] == [REGION.polygons[0][0].tolist()]


def test_a_damaged_place_is_striped_and_the_rest_is_shown(slide: Path, serve: Serve, tmp_path: Path) -> None:
    own = Path(shutil.copy(slide, tmp_path / "own.tiff"))
    content = bytearray(own.read_bytes())
    with tifffile.TiffFile(own) as file:
        page = file.pages[0]
        start, length = page.dataoffsets[0], page.databytecounts[0]  # type: ignore[union-attr]
    content[start : start + length] = b"\xff" * length
    own.write_bytes(content)
    write_results(own, tmp_path / "result", "own")
    server = serve(tmp_path / "result")
    finest = ask(server, "slides/0").values["image"]["finest"]  # type: ignore[index]

    bad, good = (ask(server, f"slides/0/tiles/{finest}/{place}") for place in ("0_0", "2_0"))

    assert (bad.status, good.status) == (200, 200)
    assert (bad.pixels > 64).all()
    assert (bad.pixels < 192).all()
    assert np.ptp(bad.pixels) > 40
    assert good.pixels.mean() > 200


def test_damaged_results_cost_their_slide_alone(results: Path, serve: Serve, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(results, tmp_path / "results"))
    (copy / "slides" / "drawn" / "scale.ome.zarr" / "zarr.json").write_text("{")
    (copy / "slides" / "gone" / "slide.json").write_text("[")
    server = serve(copy)

    listed = {row["id"]: row["state"] for row in ask(server, "slides").values}  # type: ignore[attr-defined]
    drawn = ask(server, "slides/0").values
    assert isinstance(drawn, dict)

    assert listed.keys() == {"drawn", "gone"}
    assert (drawn["status"], drawn["overlays"]) == ("failed", [])
    assert any("scale.ome.zarr" in note for note in drawn["notes"])
    assert drawn["image"] is not None
    assert ask(server, "slides/1").status == 200


def test_a_run_at_work_is_listed_as_it_goes_on(slide: Path, results: Path, serve: Serve, tmp_path: Path) -> None:
    from wsi_scale.artifacts.at_work import write_at_work
    from wsi_scale.jobs.cohort import plan
    from wsi_scale.slides.sheet import SheetRow

    folder = tmp_path / "results"
    plan(folder, [SheetRow(name, slide, None, None) for name in ("done", "here", "later")])
    write_results(slide, folder / "slides" / "done", "done")
    write_at_work(folder, "here", "here", "search")

    rows = ask(serve(folder), "slides").values

    assert [(row["id"], row["state"]) for row in rows] == [  # type: ignore[attr-defined]
        ("done", "ok"), ("here", "in work"), ("later", "waiting"),
    ]  # fmt: skip


def test_tiles_are_kept_within_a_bound(results: Path, serve: Serve) -> None:
    server = serve(results)
    finest = ask(server, "slides/0").values["image"]["finest"]  # type: ignore[index]
    sizes = [len(ask(server, f"slides/0/tiles/{finest}/{x}_{y}").body) for x in range(3) for y in range(2)]
    assert server.site.cache.held_bytes == sum(sizes)

    server.site.cache._most_bytes = 3 * max(sizes)
    for x in range(3):
        ask(server, f"slides/1/tiles/{finest}/{x}_0")

    assert 0 < server.site.cache.held_bytes <= 3 * max(sizes)


def test_a_slide_that_only_the_report_knows_is_listed_and_says_that_it_is_not_there(
    results: Path, serve: Serve, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(results, tmp_path / "results"))
    write_status(copy, [StatusRow("lost", f"{tmp_path}/lost.svs", "failed", "an earlier reason")])

    listed = {row["id"]: row for row in ask(serve(copy), "slides").values}  # type: ignore[attr-defined]
    counted = wsi_scale("status", copy)

    assert listed["lost"]["state"] == "failed"
    assert f"the slide's file {tmp_path}/lost.svs is not there" in listed["lost"]["reason"]
    assert f"failed: lost: the slide's file {tmp_path}/lost.svs is not there" in counted.stdout
    assert counted.stdout.startswith("3 slides: 2 ok, 1 failed")


def test_a_folder_without_results_and_a_taken_port_are_one_line(results: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        busy = error_line(in_child("view", results, "--no-browser", "--port", port))
    empty = error_line(in_child("view", tmp_path, "--no-browser"))

    assert f"port {port} is in use" in busy
    assert "holds no results of slides" in empty


def test_without_the_library_a_line_says_what_to_do(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wsi_scale.errors import UserError

    monkeypatch.setattr("wsi_scale.viewer.server.LIBRARY", Path("nowhere.js"))

    with pytest.raises(UserError, match=r"install npm and then this package again"):
        ViewerServer(results)


def test_ctrl_c_ends_it_at_once_and_well(results: Path) -> None:
    command = [sys.executable, "-m", "wsi_scale", "view", str(results / "slides" / "drawn"), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = urlsplit(line.split()[-1])
        idle = socket.create_connection((address.hostname, address.port))

        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)

    idle.close()
    assert line.startswith("1 slide: http://127.0.0.1:")
    assert process.returncode == 0
    assert time.monotonic() - before < 5
    assert "Traceback" not in told
    assert GLASS not in (MARKED, SILENT)
