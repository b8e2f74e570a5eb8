"""The visit token: only what was issued here is read, for as long as it may be."""

import hmac
import random
from datetime import date, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.visit_token import (
    CROCKFORD,
    PAPER_ALPHABET,
    KeyRing,
    decode,
    issue,
    paper_code,
    to_base32,
    typed_paper_code,
)

TODAY = date(2026, 11, 21)
RING = KeyRing(b"a master secret of thirty-two by")
NONCE = bytes(range(14))

days = st.dates(min_value=date(1937, 1, 1), max_value=date(2114, 12, 31))
offices = st.integers(min_value=0, max_value=65_535)
nonces = st.binary(min_size=14, max_size=14)


@given(offices, days, nonces)
def test_what_was_issued_is_read_back(office, day, nonce):
    token = issue(RING, office, day, nonce)
    read = decode(RING, token.text, day)

    assert read == token
    assert (read.office, read.day, read.nonce) == (office, day, nonce)
    assert (read.view_id, read.nullifier, read.paper_code) == (token.view_id, token.nullifier, token.paper_code)


def test_a_token_is_40_characters_of_crockford():
    token = issue(RING, 7, TODAY)

    assert len(token.text) == 40
    assert set(token.text) <= set(CROCKFORD)


def test_every_token_has_a_nonce_of_its_own():
    assert len({issue(RING, 7, TODAY).nonce for _ in range(1_000)}) == 1_000


def test_the_derived_values_are_the_documented_ones():
    token = issue(RING, 7, TODAY, NONCE)
    epoch = (TODAY - date(2026, 1, 1)).days // 30
    key = hmac.digest(RING.secret, b"visit" + epoch.to_bytes(4, "big"), "sha256")

    assert token.view_id == sha256(b"view" + NONCE).digest()[:16]
    assert token.nullifier == hmac.digest(key, b"rate" + NONCE, "sha256")[:16]


@pytest.mark.parametrize(
    ("age", "read"), [(-30, False), (-2, False), (-1, True), (0, True), (37, True), (38, False), (480, False)]
)
def test_a_token_is_read_from_the_day_before_until_37_days_after(age, read):
    token = issue(RING, 7, TODAY - timedelta(days=age))

    assert (decode(RING, token.text, TODAY) is not None) is read


@pytest.mark.parametrize("day", [date(2025, 12, 31), date(2025, 11, 1), date(1936, 4, 15), date(2115, 9, 19)])
def test_days_before_2026_and_far_away_have_tokens(day):
    assert decode(RING, issue(RING, 1, day).text, day).day == day


@pytest.mark.parametrize(
    ("office", "day", "nonce"),
    [
        (65_536, TODAY, NONCE),
        (-1, TODAY, NONCE),
        (1, date(2115, 9, 20), NONCE),
        (1, date(1936, 4, 14), NONCE),
        (1, TODAY, b"short"),
    ],
)
def test_what_does_not_fit_is_refused(office, day, nonce):
    with pytest.raises(ValueError, match=r"nonce|fit"):
        issue(RING, office, day, nonce)


def test_every_change_of_one_character_fails():
    text = issue(RING, 7, TODAY, NONCE).text
    changed = [text[:i] + c + text[i + 1 :] for i in range(40) for c in CROCKFORD if c != text[i]]

    assert len(changed) == 40 * 31
    assert not any(decode(RING, forged, TODAY) for forged in changed)


def test_a_hundred_thousand_forged_tokens_are_all_refused():
    """Half are noise, half look right up to the tag: version, key id, office and day of a real one."""
    source = random.Random(39)
    header = issue(RING, 7, TODAY, NONCE).text[:8]

    assert not any(decode(RING, to_base32(source.randbytes(25)), TODAY) for _ in range(50_000))
    assert not any(decode(RING, header + "".join(source.choices(CROCKFORD, k=32)), TODAY) for _ in range(50_000))


def test_a_token_of_another_system_is_refused():
    other = KeyRing(b"another master secret, also long")

    assert decode(RING, issue(other, 7, TODAY).text, TODAY) is None


def test_small_letters_and_look_alikes_are_read():
    text = next(
        text for text in (issue(RING, 7, TODAY).text for _ in range(1_000)) if "0" in text[5:] and "1" in text[5:]
    )
    token = decode(RING, text, TODAY)

    assert decode(RING, text.lower(), TODAY) == token
    assert decode(RING, text.replace("0", "O").replace("1", "I"), TODAY) == token
    assert decode(RING, text.replace("0", "o").replace("1", "l"), TODAY) == token


@given(st.one_of(st.text(max_size=60), st.text(alphabet=CROCKFORD + "uUéı-= ", min_size=39, max_size=41)))
def test_whatever_is_typed_is_only_refused(text):
    assert decode(RING, text, TODAY) is None


@pytest.mark.parametrize("extra", [" ", "0", "=", "\n"])
def test_the_length_is_exact(extra):
    text = issue(RING, 7, TODAY, NONCE).text

    assert decode(RING, text + extra, TODAY) is None
    assert decode(RING, extra + text, TODAY) is None
    assert decode(RING, text[:-1], TODAY) is None


def test_keys_change_every_30_days_and_with_the_secret():
    keys = [RING.key(epoch) for epoch in range(-20, 40)]

    assert len(set(keys)) == 60
    assert RING.key(3) != KeyRing(b"another master secret, also long").key(3)


def test_a_short_secret_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        KeyRing(b"short")


def test_nothing_secret_is_in_a_repr():
    token = issue(RING, 7, TODAY, NONCE)

    assert repr(RING) == "KeyRing()"
    assert repr(token) == "VisitToken(office=7, day=datetime.date(2026, 11, 21))"


@given(nonces)
def test_a_paper_code_is_six_plain_characters_and_forgiving_to_type(nonce):
    code = paper_code(nonce)

    assert len(code) == 6
    assert set(code) <= set(PAPER_ALPHABET)
    assert typed_paper_code(f" {code[:3].lower()}-{code[3:]} ") == code


@pytest.mark.parametrize("text", ["", "ABC", "0OI1L5", "AAAAAAA", "ÁAAAAA"])
def test_what_cannot_be_a_paper_code_is_refused(text):
    assert typed_paper_code(text) is None
