"""Whatever way a path or an address is spelled, the service opens no file outside and connects to nobody."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.serving.uploads import Upload, decode_base64, stored_upload
from style.errors import ImageError

_heard: list[tuple[str, Any]] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _heard is not None and event in {"open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}:
        _heard.append((event, arguments))


# A hook stays as long as the process, hence one that mostly does nothing.
sys.addaudithook(_listen)


@pytest.fixture
def secret(recommender: Recommender) -> Iterator[Path]:
    """A sound picture beside the shop's folder."""
    path = recommender.bundle.image_root.parent / "secret.jpg"
    path.write_bytes((recommender.bundle.image_root / "1.jpg").read_bytes())
    yield path
    path.unlink()


@pytest.fixture
def heard(secret: Path) -> Iterator[list[tuple[str, Any]]]:
    """What the process opens and connects to during the test."""
    global _heard
    _heard = []
    yield _heard
    _heard = None


def spellings(secret: Path) -> list[str]:
    """Ways to say "the file beside the folder", and files that every system has."""
    up = "../" + secret.name
    target = str(secret)
    encoded = [
        "%2e%2e%2f", "%2e%2e/", "..%2f", "%2E%2E%2F", "%252e%252e%252f", "..%252f", "%25252e%25252e%25252f",
        "%c0%ae%c0%ae%c0%af", "%c0%ae%c0%ae/", "..%c0%af", "..%c1%9c", "%e0%80%ae%e0%80%ae%e0%80%af", "..%e0%80%af",
        "%f0%80%80%ae%f0%80%80%ae%f0%80%80%af", "%uff0e%uff0e%u2215", "%u002e%u002e%u002f", "..%5c", "%5c..%5c",
        "%2e%2e%5c", "..%255c", "..%00/", "%00../", "..%0d%0a/", "..%09/", "..%3b/", "..;/", "..%20/", "....//",
        "....%2f%2f", "..././", ".../...//", "./../", ".%2e/", "%2e./", "a/../../", "a%2f..%2f..%2f", "/..//", "\\..\\",
        "..\\", "..//", "..\\/", "\u2025/", "\uff0e\uff0e/", "\uff0e\uff0e\uff0f", "..\u2215", "..\u2044", "~/../",
    ]  # fmt: skip
    return [
        up, up + "%00", up + "%00.png", up + "\x00.jpg", up + "/", up + "/.", up + "?x", up + "#x", up + "::$DATA",
        target, "/" + target, "//" + target.lstrip("/"), "/." + target, target.replace("/", "\\"),
        target.replace("/", "%2f"), target.replace("/", "%252f"), "file://" + target, "file:" + target,
        "C:\\" + secret.name, "C:/" + secret.name, "\\\\127.0.0.1\\c$\\" + secret.name, "\\\\?\\C:\\" + secret.name,
        "../" * 30 + target.lstrip("/"), "../" * 30 + "etc/passwd", "/etc/passwd", "/proc/self/environ",
        "/proc/self/fd/0", "/dev/zero", "/dev/stdin", "CON", "NUL", "a" * 400 + "/../../" + secret.name,
        *(part + secret.name for part in encoded),
    ]  # fmt: skip


def opened_outside(heard: list[tuple[str, Any]], secret: Path) -> list[str]:
    """What was opened of the files that no request may open."""
    forbidden = ("/etc/passwd", "/proc/self/environ", "/proc/self/fd", "/dev/zero", "/dev/stdin", secret.name)
    paths = [os.fsdecode(args[0]) for event, args in heard if event == "open" and isinstance(args[0], str | bytes)]
    return [path for path in paths if any(name in path for name in forbidden)]


def test_there_are_many_spellings(secret: Path) -> None:
    assert len(set(spellings(secret))) >= 75


def asked(client: httpx.Client, method: str, target: str, **options: Any) -> httpx.Response:
    """A request whose target goes out as it is written, dots and percent signs included."""
    request = client.build_request(method, "/", **options)
    request.url = httpx.URL(client.base_url)
    # httpx would tidy a path up. Only what cannot stand in a request line is written as a byte's number.
    raw = b"".join(bytes([byte]) if 0x21 <= byte <= 0x7E else b"%%%02X" % byte for byte in target.encode())
    request.extensions["target"] = raw
    return client.send(request)


@pytest.mark.parametrize("where", ["item", "image", "similar", "style"])
def test_no_spelling_in_an_id_opens_anything(
    client: httpx.Client, secret: Path, heard: list[tuple[str, Any]], where: str
) -> None:
    content = secret.read_bytes()
    heard.clear()
    for spelling in spellings(secret):
        shape = {
            "item": "/v1/items/{}",
            "image": "/v1/items/{}/image",
            "similar": "/v1/items/{}/similar",
            "style": "/v1/items/p00/image?style={}",
        }[where]
        plain = shape.format(spelling)
        whole = shape.format("".join(f"%{byte:02x}" for byte in spelling.encode()))
        for target in (plain, whole):
            answer = asked(client, "GET", target)
            assert 400 <= answer.status_code < 500, (target, answer.status_code)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert content[:200] not in answer.content
            assert b"root:" not in answer.content
    assert not opened_outside(heard, secret)


def test_no_spelling_in_a_body_opens_anything(client: httpx.Client, secret: Path, heard: list[tuple[str, Any]]) -> None:
    for spelling in spellings(secret):
        picture = client.post("/v1/restyle", content=spelling.encode(), headers={"Content-Type": "image/jpeg"})
        assert picture.status_code == 422
        for body in ({"styles": [spelling]}, {"scene": spelling, "items": []}):
            answer = client.post("/v1/recommendations", json=body)
            assert answer.status_code == 422
        # Items and categories that the catalog does not have are ignored.
        assert client.post("/v1/recommendations", json={"category": [spelling]}).status_code in (200, 422)
        assert client.post("/v1/recommendations", json={"items": [{"item_id": spelling}]}).status_code in (200, 422)
    assert not opened_outside(heard, secret)


def test_only_the_path_of_a_stored_upload_names_a_picture(
    tmp_path: Path, recommender: Recommender, secret: Path, heard: list[tuple[str, Any]]
) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    upload = Upload.from_bytes((recommender.bundle.image_root / "3.jpg").read_bytes())
    image = upload.store(project)
    assert stored_upload(project, image).read_bytes() == upload.jpeg
    linked = project.live / "uploads" / f"{'0' * 64}.jpg"
    linked.symlink_to(secret)
    folder = project.live / "uploads" / f"{'1' * 64}.jpg"
    folder.mkdir()
    heard.clear()
    stem = image.removesuffix(".jpg")
    others = [
        "", image + "\n", image + "\0", "/" + image, "./" + image, image.upper(), stem, stem + ".png", "x/" + image,
        str(project.root / image), image.replace("/", "//"), image.replace("/", "\\"), "live/../" + image,
        f"live/uploads/{linked.name}", f"live/uploads/{folder.name}", f"live/uploads/{'2' * 64}.jpg", "live/live.db",
    ]  # fmt: skip
    for spelling in [*others, *spellings(secret), *("live/uploads/" + spelling for spelling in spellings(secret))]:
        with pytest.raises(ImageError, match="no image that was sent here before"):
            stored_upload(project, spelling)
    assert not opened_outside(heard, secret)


def test_no_spelling_is_taken_for_base64_of_a_picture(secret: Path, heard: list[tuple[str, Any]]) -> None:
    for spelling in spellings(secret):
        with pytest.raises(ImageError):
            Upload.from_bytes(decode_base64(spelling))
    assert not opened_outside(heard, secret)


@pytest.fixture
def visited() -> Iterator[tuple[int, list[object]]]:
    """The port of a server that notes who connects."""
    visits: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()
        server.settimeout(0.05)

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                visits.append(address)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], visits
        over.set()
        thread.join()


def addresses(port: int) -> list[str]:
    host = f"127.0.0.1:{port}"
    return [
        f"http://{host}/a.jpg", f"https://{host}/a.jpg", f"HTTP://{host}/a.jpg", f"ftp://{host}/a.jpg",
        f"//{host}/a.jpg", f"http:{host}/a.jpg", f"http:\\\\{host}\\a.jpg", f"gopher://{host}/_", f"ws://{host}/",
        f"http://localhost:{port}/a.jpg", f"http://2130706433:{port}/a.jpg", f"http://[::1]:{port}/a.jpg",
        f"http://0x7f.1:{port}/a.jpg", f"http://user:password@{host}/a.jpg", f"url:http://{host}/a.jpg",
        f"jar:http://{host}/a!/b.jpg", f"dict://{host}/a", f"smb://{host}/a.jpg", f"\\\\127.0.0.1@{port}\\a.jpg",
        f"file://{host}/a.jpg", "file:///etc/passwd", "file:/etc/passwd", "data:image/png;base64,AAAA",
        f"s3://{host}/a.jpg", f"|curl http://{host}/", f"`curl http://{host}/`",
    ]  # fmt: skip


def connected(heard: list[tuple[str, Any]], *own: int) -> list[tuple[str, Any]]:
    """Connections, look-ups of names and commands, but for those of the test's own client."""
    found = [(event, args) for event, args in heard if event != "open"]
    return [
        (event, args)
        for event, args in found
        if not (event == "socket.connect" and args[1][1] in own)
        and not (event == "socket.getaddrinfo" and args[1] in own)
    ]


def test_the_service_fetches_no_address(
    client: httpx.Client, visited: tuple[int, list[object]], heard: list[tuple[str, Any]], secret: Path
) -> None:
    port, visits = visited
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1:{port}/a.png'/></svg>"
    xml = f"<!DOCTYPE a [<!ENTITY b SYSTEM 'http://127.0.0.1:{port}/b'>]><a>&b;</a>"
    for address in [*addresses(port), svg, xml]:
        quoted = "".join(f"%{byte:02x}" for byte in address.encode())
        for target in (f"/v1/items/{quoted}", f"/v1/items/{quoted}/image", f"/v1/items/p00/image?style={quoted}"):
            assert asked(client, "GET", target).status_code in (404, 422)
        answer = client.post("/v1/restyle", content=address.encode(), headers={"Content-Type": "image/png"})
        assert answer.status_code == 422
        assert client.post("/v1/recommendations", json={"styles": [address]}).status_code == 422
        with pytest.raises(ImageError):
            Upload.from_bytes(decode_base64(address))
    assert connected(heard, client.base_url.port or 0) == []
    assert visits == []
    assert not opened_outside(heard, secret)


def test_an_import_fetches_no_address(
    tmp_path: Path, visited: tuple[int, list[object]], heard: list[tuple[str, Any]]
) -> None:
    port, visits = visited
    for index, address in enumerate(addresses(port)):
        project = Project.init(tmp_path / f"shop{index}", "shop")
        items = tmp_path / f"items{index}.csv"
        items.write_text(f'item_id,title,image\n1,Lamp,"{address}"\n', encoding="utf-8")
        report = import_data(project, items=items)
        assert report.images == 0
        assert report.notes
    assert connected(heard) == []
    assert visits == []


def test_what_is_heard_is_what_happens(
    visited: tuple[int, list[object]], heard: list[tuple[str, Any]], secret: Path
) -> None:
    """The ears of these tests work."""
    port, visits = visited
    secret.read_bytes()
    socket.create_connection(("127.0.0.1", port)).close()
    for _ in range(100):
        if visits:
            break
        threading.Event().wait(0.02)
    assert len(visits) == 1
    assert opened_outside(heard, secret) == [str(secret)]
    assert {event for event, _ in connected(heard)} == {"socket.connect", "socket.getaddrinfo"}
