"""The front door: staff find their places, everybody finds an office; and whether the process lives."""

import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

import app as motcua
from tests import cast
from tests.conftest import Visitor, settings_for
from tests.forms import words
from tests.servers import RedisServer


def test_anybody_finds_an_office_by_the_name_of_its_commune(visitor: Visitor) -> None:
    page = visitor.get("/?q=an binh")
    assert "Xã An Bình" in page.text
    assert f'href="/screens/{cast.OFFICE}"' in page.text
    assert "Bình Minh" not in words(page)
    for odd in ("%", "_", "\\", "'--", "<script>", "x" * 5000, "😀"):
        found = visitor.get("/", query_string={"q": odd})
        assert found.status_code == 200
        assert "<script>" not in found.text.replace("<script src", "")
    assert visitor.get("/?q=a%00b").status_code == 422


def test_everybody_finds_the_way_to_work(logged_in: Callable[[str], Visitor]) -> None:
    places = {
        "clerk": [f"/reception/{cast.OFFICE}", f"/counters/{cast.OFFICE}", f"/screens/{cast.OFFICE}"],
        "commune-leader": [f"/units/{cast.AN_BINH}"],
        "province-leader": [f"/units/{cast.PROVINCE}"],
        "admin": ["/admin/staff"],
    }
    for username, addresses in places.items():
        person = logged_in(username)
        page = person.get("/").text
        for address in addresses:
            assert f'href="{address}"' in page
            assert person.get(address).status_code == 200


def test_the_process_says_that_it_lives_and_whether_it_is_ready(visitor: Visitor) -> None:
    assert visitor.get("/healthz").json == {"ok": True}
    assert (visitor.get("/readyz").status_code, visitor.get("/readyz").json) == (200, {"database": True})


def test_without_its_database_or_redis_it_lives_and_is_not_ready(
    tmp_path: Path, sqlite_url: str, redis_server: RedisServer
) -> None:
    def ready(url: str, **more: str) -> tuple[int, int, dict[str, bool]]:
        app: Flask = motcua.create_app(settings_for(url, tmp_path, **more), background=False)
        client = app.test_client()
        begun = time.monotonic()
        answer = client.get("/readyz")
        assert time.monotonic() - begun < 5
        app.extensions["database"].engine.dispose()
        return client.get("/healthz").status_code, answer.status_code, answer.json or {}

    nothing = "redis://127.0.0.1:1/0"
    assert ready(sqlite_url, MOTCUA_REDIS_URL=redis_server.url) == (200, 200, {"database": True, "redis": True})
    assert ready(sqlite_url, MOTCUA_REDIS_URL=nothing) == (200, 503, {"database": True, "redis": False})
    assert ready(f"sqlite:///{tmp_path / 'none' / 'x'}") == (200, 503, {"database": False})
    assert ready("postgresql://u:p@127.0.0.1:1/db") == (200, 503, {"database": False})
