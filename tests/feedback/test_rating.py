"""One served visit, at most one rating, whatever is sent how often; and nothing shows the answer again."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import time_machine
from flask import Flask

from feedback.commands import tidy_ratings
from tests import cast
from tests.conftest import Program, Visitor
from tests.desk import Desk, everything
from tests.feedback.conftest import Visit


def ratings(app: Flask) -> list[Any]:
    """Every rating anywhere on its way: drafts, inbox, answers."""
    tables = everything(app)
    return [*tables["rating_drafts"], *tables["rating_inbox"], *tables["answers"]]


def test_the_first_tap_is_a_complete_rating(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served()
    posted = visit.rate(4)
    assert (posted.status_code, posted.headers["Location"]) == (303, visit.path + "/thanks")
    assert "Set-Cookie" not in posted.headers
    assert visit.get("/thanks").status_code == 200
    assert len(ratings(app)) == 1


def test_thanks_are_the_same_bytes_for_every_answer(served: Callable[..., Visit]) -> None:
    pages = set()
    for overall in range(1, 6):
        visit = served()
        visit.rate(overall)
        pages.add(visit.get("/thanks").text.replace(visit.path, "/v/…"))
        assert visit.get().text.replace(visit.path, "/v/…") in pages
    assert len(pages) == 1


def test_a_later_tap_replaces_the_draft(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served()
    for overall in (1, 1, 5):
        assert visit.rate(overall).status_code == 303
    tables = everything(app)
    assert [row[1] for row in tables["rating_drafts"]] == [{"overall": 5}]
    assert tables["rating_inbox"] == []


def test_ten_taps_at_once_are_one_answer(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served()

    def tap(_: int) -> int:
        person = Visitor(app.test_client())
        return int(person.post(visit.path + "/rating", {"overall": "4"}).status_code)

    with ThreadPoolExecutor(8) as crowd:
        statuses = list(crowd.map(tap, range(10)))
    assert statuses == [303] * 10
    assert len(ratings(app)) == 1


def test_the_second_page_may_say_more_or_nothing_and_closes_the_rating(
    app: Flask, served: Callable[..., Visit]
) -> None:
    visit, short = served(), served()
    visit.rate(4), short.rate(2)
    page = visit.get("/rating/details")
    assert page.status_code == 200
    assert page.text.count('type="radio"') == 25
    assert visit.details(access=5, officials=3, nonsense=4).status_code == 303
    assert short.details().status_code == 303
    tables = everything(app)
    assert tables["rating_drafts"] == []
    levels = sorted((row[-1] for row in tables["rating_inbox"]), key=len)
    assert levels == [{"overall": 2}, {"overall": 4, "access": 5, "officials": 3}]
    assert visit.get("/rating/details").headers["Location"] == visit.path


def test_after_it_is_final_nothing_more_is_stored(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served()
    visit.rate(4), visit.details()
    before = everything(app)
    for again in (visit.rate(1), visit.details(access=1)):
        assert again.status_code == 409
        assert "Phiếu này đã được đánh giá" in again.text
        assert "Cảm ơn ông/bà" in again.text
    assert everything(app) == before


def test_half_an_hour_later_the_choice_is_final_by_itself(
    app: Flask, served: Callable[..., Visit], monday: time_machine.Traveller
) -> None:
    seen, unseen = served(), served()
    seen.rate(4), unseen.rate(4)
    monday.shift(timedelta(minutes=30))
    assert seen.rate(1).status_code == 409, "too late, even before the housekeeping has come by"
    with app.app_context():
        tidy_ratings()
    assert unseen.rate(1).status_code == 409
    tables = everything(app)
    assert [row[-1] for row in tables["rating_inbox"]] == [{"overall": 4}] * 2
    assert tables["rating_drafts"] == []


def test_only_the_five_levels_are_answers(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served()
    before = everything(app)
    for overall in ("", "0", "6", "4.5", "-1", "x", "４", "1\x00", "5" * 100):
        assert visit.rate(overall).status_code == 422
    assert everything(app) == before


def test_nothing_can_be_rated_before_the_visit_has_ended(app: Flask, take: Callable[..., Visit], desk: Desk) -> None:
    visit = take()
    desk.counter("1", "open")
    before = everything(app)
    assert visit.rate(5).status_code == 409
    assert visit.details(access=5).status_code == 409
    assert everything(app) == before
    desk.counter("1", "call-next")
    refused = visit.rate(5)
    assert (refused.status_code, "MỜI ĐẾN QUẦY 1" in refused.text) == (409, True)


def test_details_without_a_choice_are_refused(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served()
    assert visit.details(access=5).status_code == 422
    assert ratings(app) == []


def test_a_visit_too_short_to_be_one_is_rated_apart(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served(seconds=19)
    assert visit.rate(5).status_code == 303
    visit.details()
    (row,) = everything(app)["rating_inbox"]
    assert "short" in row


def test_one_link_takes_ten_posts_a_minute_and_another_is_not_held_up(
    served: Callable[..., Visit], monday: time_machine.Traveller
) -> None:
    visit, other = served(), served()
    assert [visit.rate(4).status_code for _ in range(12)] == [303] * 10 + [429] * 2
    assert other.rate(4).status_code == 303
    monday.shift(61)
    assert visit.rate(5).status_code == 303


def test_machines_of_the_office_do_not_rate(
    app: Flask, served: Callable[..., Visit], program: Callable[..., Program], logged_in: Callable[[str], Visitor]
) -> None:
    visit = served()
    tablet = Visitor(app.test_client())
    assert tablet.post("/device", {"token": program("counter").secret}).status_code == 303
    for machine in (tablet, logged_in("clerk"), logged_in("commune-leader")):
        for part in ("/rating", "/rating/details"):
            refused = machine.post(visit.path + part, {"overall": "5"})
            assert refused.status_code == 403
            assert "Máy của cơ quan không dùng để đánh giá" in refused.text
    assert ratings(app) == []
    assert visit.rate(4).status_code == 303


def test_another_site_cannot_rate_in_the_name_of_a_visitor(app: Flask, served: Callable[..., Visit]) -> None:
    visit = served()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        refused = visit.person.client.post(visit.path + "/rating", data={"overall": "1"}, headers=headers)
        assert refused.status_code == 403
    # A browser inside another app may send neither; without a cookie there is nothing to steal.
    bare = visit.person.client.post(visit.path + "/rating", data={"overall": "4"})
    assert bare.status_code == 303
    assert len(ratings(app)) == 1


def test_a_language_chosen_in_the_address_goes_along_and_is_not_stored(
    app: Flask, served: Callable[..., Visit]
) -> None:
    visit = served()
    page = visit.get("?lang=en")
    assert 'lang="en"' in page.text
    action = re.search(r'action="([^"]+)"', page.text)
    assert action is not None
    posted = visit.person.post(action[1], {"overall": "4"})
    assert posted.headers["Location"] == visit.path + "/thanks?lang=en"
    assert "Set-Cookie" not in posted.headers
    assert 'lang="en"' in visit.person.get(posted.headers["Location"]).text
    assert cast.OFFICE not in repr(ratings(app))
