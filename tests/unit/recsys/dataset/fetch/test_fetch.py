"""Images on the web: fetched from allowed hosts alone, whole or resumed, and written into the items."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.dataset.fetch import FetchLimits, FetchReport, fetch_images
from recsys.dataset.fetch.connection import Target, is_public
from recsys.dataset.importers import import_data
from recsys.dataset.importers.images import address_name
from recsys.dataset.project import Project
from recsys.errors import ConfigError, DataError
from tests.unit.recsys.dataset.conftest import Write


def photo(seed: int = 0, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


class Site(ThreadingHTTPServer):
    """A host of images that fails in many ways, and notes what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[tuple[str, str | None]] = []
        self.cut = True
        self.busy = 2

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def limits(self, **others: object) -> FetchLimits:
        hosts = (f"127.0.0.1:{self.server_port}",)
        given: dict[str, object] = {"allow_http": True, "allow_loopback": True, "per_second": 1000.0, "retry_s": 0.01}
        return FetchLimits(hosts, **(given | others))  # type: ignore[arg-type]


class _Answers(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        assert self.headers["User-Agent"].startswith("style-recsys/")
        name = self.path.rpartition("/")[2]
        body, status, headers = photo(), 200, {"ETag": '"v1"'}
        start = 0
        if name == "html.jpg":
            body = b"<html>sign in</html>"
        elif name == "none.jpg":
            status, body = 404, b""
        elif name == "away.jpg":
            status, body, headers = 302, b"", {"Location": "http://localhost:1/secret.jpg"}
        elif name == "moved.jpg":
            status, body, headers = 301, b"", {"Location": "/a.png"}
        elif name == "round.jpg":
            status, body, headers = 302, b"", {"Location": "/round.jpg"}
        elif name == "a.png":
            body = photo(1, "PNG")
        elif name == "busy.jpg" and self.server.busy:
            self.server.busy -= 1
            status, body, headers = 503, b"", {"Retry-After": "0"}
        elif name == "closed.jpg":
            status, body, headers = 429, b"", {"Retry-After": "3600"}
        elif name == "large.jpg":
            body = b"x" * 200_000
        wanted = self.headers.get("Range")
        if wanted and status == 200 and self.headers.get("If-Range") == headers.get("ETag"):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            status, headers = 206, headers | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if name == "cut.jpg" and self.server.cut:
            self.wfile.write(body[start : start + 300])
            self.close_connection = True
            return
        if name == "slow.jpg":
            for index in range(100):
                self.wfile.write(body[index : index + 1])
                time.sleep(0.05)
            return
        self.wfile.write(body[start:])


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def catalog(project: Project, write: Write, *addresses: str) -> Project:
    rows = [f'i{index:02},"{address}"\n' for index, address in enumerate(addresses)]
    import_data(project, items=write("items.csv", "item_id,image\n" + "".join(rows)))
    return project


def images(project: Project) -> list[str]:
    return [str(image) for image in project.load_items()["image"]]


def test_images_are_fetched_once_and_written_into_the_items(project: Project, write: Write, site: Site) -> None:
    names = ["a.jpg", "a.png", "moved.jpg", "none.jpg", "html.jpg", "away.jpg", "round.jpg", "large.jpg", "busy.jpg"]
    addresses = [f"{site.address}/{name}" for name in names]
    catalog(
        project, write, *addresses, f"{site.address}/none.jpg {site.address}/a.jpg", "https://elsewhere.example/x.jpg"
    )
    report = fetch_images(project, site.limits(max_bytes=100_000))
    found = images(project)
    assert [bool(image) for image in found] == [True, True, True, *[False] * 5, True, True, False]
    for image in filter(None, found):
        with Image.open(project.resolve_image(image)) as opened:
            assert opened.size == (64, 48)
    assert found[1].endswith(f"{address_name(addresses[1])}.png")
    assert (report.fetched, report.linked) == (4, 5)
    assert "answers 404" in report.failed[addresses[3]]
    assert "not an image" in report.failed[addresses[4]]
    assert "localhost is not among the allowed hosts" in report.failed[addresses[5]]
    assert "redirects" in report.failed[addresses[6]]
    assert "200,000 bytes; at most 100,000" in report.failed[addresses[7]]
    assert "add --host elsewhere.example" in report.failed["https://elsewhere.example/x.jpg"]
    site.asked.clear()
    again = fetch_images(project, site.limits())
    assert (again.fetched, again.known, site.asked) == (0, 6, [])
    # The next feed has the addresses again: the images stay.
    import_data(project, items=write("items.csv", f"item_id,image\ni00,{addresses[0]}\n"))
    assert images(project) == [found[0]]


def test_an_interrupted_download_goes_on_from_the_bytes_that_are_there(
    project: Project, write: Write, site: Site
) -> None:
    catalog(project, write, f"{site.address}/cut.jpg")
    site.cut = True
    first = fetch_images(project, site.limits())
    assert images(project) == [""]
    assert "ended early" in next(iter(first.later.values()))
    site.cut = False
    site.asked.clear()
    assert fetch_images(project, site.limits()).fetched == 1
    ((_, part),) = site.asked
    assert part not in (None, "bytes=0-")
    assert project.resolve_image(images(project)[0]).read_bytes() == photo()
    assert not list((project.root / "images/.parts").iterdir())


def test_a_host_that_asks_for_a_long_pause_is_left_alone(project: Project, write: Write, site: Site) -> None:
    catalog(project, write, f"{site.address}/closed.jpg", *(f"{site.address}/{n}.jpg" for n in range(20)))
    report = fetch_images(project, site.limits())
    assert len(report.later) + report.fetched == 21
    assert len(report.later) >= 12
    assert "3,600 s" in str(report)
    assert [path for path, _ in site.asked].count("/closed.jpg") == 1


def test_a_trickle_of_bytes_ends_at_the_limit(project: Project, write: Write, site: Site) -> None:
    catalog(project, write, f"{site.address}/slow.jpg")
    start = time.monotonic()
    report: FetchReport = fetch_images(project, site.limits(image_s=0.3))
    assert time.monotonic() - start < 10
    assert report.later
    assert images(project) == [""]


def test_without_a_host_nothing_is_asked(project: Project, write: Write) -> None:
    catalog(project, write, "https://a.example/x.jpg")
    with pytest.raises(ConfigError, match="--host"):
        fetch_images(project, FetchLimits(()))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://a.example/x.jpg", "--allow-http"),
        ("ftp://a.example/x.jpg", "only https"),
        ("https://user:pw@a.example/x.jpg", "user name"),
        ("https://a.example:8443/x.jpg", "not among the allowed hosts"),
        ("https://a.example.evil.example/x.jpg", "not among the allowed hosts"),
        ("https://evil-a.example/x.jpg", "not among the allowed hosts"),
        ("https://a.example:99999/x.jpg", "not an address"),
        ("https:///x.jpg", "only https"),
        ("file:///etc/passwd", "only https"),
    ],
)
def test_addresses_that_may_not_be_fetched(address: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Target.from_address(address, FetchLimits(("a.example", "*.b.example")))


def test_addresses_that_may_be_fetched() -> None:
    limits = FetchLimits(("a.example", "*.b.example", "c.example:8443"))
    for address in ("https://A.example./x y.jpg?q=ü", "//img.b.example/x.jpg", "https://c.example:8443/x.jpg"):
        target = Target.from_address(address, limits)
        assert target.scheme == "https"
        assert " " not in target.path
        assert target.path.isascii()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "fe80::1%eth0", "fc00::1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
        "2002:7f00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_inside_networks_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_a_name_that_leads_inside_is_refused(project: Project, write: Write, site: Site) -> None:
    catalog(project, write, f"http://localhost:{site.server_port}/a.jpg")
    limits = FetchLimits((f"localhost:{site.server_port}",), allow_http=True)
    report = fetch_images(project, limits)
    assert "an address inside a network" in next(iter(report.failed.values()))
    assert site.asked == []
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


def test_files_that_are_not_complete_are_no_images(project: Project, write: Write, tmp_path: Path) -> None:
    address = "https://a.example/x.jpg"
    catalog(project, write, address)
    parts = project.root / "images/.parts"
    parts.mkdir(parents=True)
    (parts / f"{address_name(address)}.part").write_bytes(photo()[:100])
    import_data(project, items=write("items.csv", f"item_id,image\ni00,{address}\n"))
    assert images(project) == [""]
