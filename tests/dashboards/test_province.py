"""The province's page: every commune by name, hidden figures that nobody can compute from the others (PD2, PD6)."""

from collections.abc import Callable

from tests import cast
from tests.conftest import Visitor
from tests.desk import Desk
from tests.forms import words

PROVINCE = f"/units/{cast.PROVINCE}"
Released = Callable[..., None]


def test_communes_stand_in_the_order_of_their_names_without_ranks(
    desk: Desk, released: Released, logged_in: Callable[[str], Visitor]
) -> None:
    released(cast.AN_BINH, (10, 10, 5, 5, 10), served=60)
    released(cast.BINH_MINH, (0, 0, 0, 20, 20), served=50)
    desk.issue()
    page = words(logged_in("province-leader").get(PROVINCE))
    assert page.index("Xã An Bình") < page.index("Phường Bình Minh")
    assert "37,5 %" in page
    assert "68,75 %" in page, "55 of 80 in the whole province"
    assert "hạng 1" not in page.lower()


def test_one_hidden_commune_hides_another_so_that_nobody_can_subtract(
    desk: Desk, released: Released, logged_in: Callable[[str], Visitor]
) -> None:
    released(cast.AN_BINH, (0, 0, 0, 0, 40), served=60)
    released(cast.BINH_MINH, (4, 0, 0, 0, 0), served=50)
    page = words(logged_in("province-leader").get(PROVINCE))
    assert "90,91 %" in page, "the province as a whole: 40 of 44"
    assert "100 %" not in page, "or 4 unhappy people of Bình Minh would be known"


def test_the_list_can_be_searched_without_marks(desk: Desk, logged_in: Callable[[str], Visitor]) -> None:
    leader = logged_in("province-leader")
    found = words(leader.get(f"{PROVINCE}?q=binh minh"))
    assert "Phường Bình Minh" in found
    assert "Xã An Bình" not in found
    assert "Không có đơn vị nào khớp." in words(leader.get(f"{PROVINCE}?q=zzz"))
    for odd in ("%25", "_", "\\", "'", "😀", "x" * 5000):
        assert leader.get(PROVINCE, query_string={"q": odd}).status_code == 200
