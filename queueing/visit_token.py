"""The visit token in the QR of a ticket, and the two values that follow from it (docs/method.md, section 8).

25 bytes as 40 characters of Crockford base32:

    1   version (high four bits, 1) and key id (low four bits)
    2   office, an unsigned number
    2   day, signed, counted from 2026-01-01: days before that are negative
    14  nonce, random
    6   tag: the first six bytes of HMAC-SHA-256 over the 19 bytes before it

The tag only keeps forged tokens away from the database; what cannot be guessed is the nonce. The ticket keeps
`view_id` and, until the visit ends, `nullifier`; neither leads to the other without the nonce, which is on the
paper and nowhere in the system. Therefore nothing here shows a token, nonce or key in its repr.
"""

import hmac
import secrets
import struct
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from typing import Final

VERSION: Final = 1
FIRST_DAY: Final = date(2026, 1, 1)
DAYS_PER_KEY: Final = 30
DAYS_VALID: Final = 37
DAYS_AHEAD: Final = 1

HEADER: Final = struct.Struct(">BHh")
NONCE_BYTES: Final = 14
TAG_BYTES: Final = 6
TOKEN_CHARACTERS: Final = 40

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# People type tokens by hand: small letters count, and O, I, L are read as the digits they look like.
CROCKFORD_VALUES: Final = {
    **{character: value for value, character in enumerate(CROCKFORD)},
    **{character.lower(): value for value, character in enumerate(CROCKFORD)},
    **dict.fromkeys("Oo", 0),
    **dict.fromkeys("IiLl", 1),
}

# No two of these look alike on a worn thermal print: without 0 O, 1 I L, 2 Z, 5 S, 8 B, 6 G, U V.
PAPER_ALPHABET: Final = "34679ACDEFHJKMNPQRTWXY"
PAPER_CHARACTERS: Final = 6


@dataclass(frozen=True)
class KeyRing:
    """The keys of visit tokens, one for each 30 days, all derived from one master secret of at least 16 bytes."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise ValueError("the master secret of visit tokens needs at least 16 bytes")

    def key(self, epoch: int) -> bytes:
        """The key of one epoch, `day // 30`."""
        return hmac.digest(self.secret, b"visit" + epoch.to_bytes(4, "big", signed=True), "sha256")


@dataclass(frozen=True)
class VisitToken:
    """A token known to be ours. `text` goes into the link; the nonce and the text must never be stored or logged."""

    office: int
    day: date
    nonce: bytes = field(repr=False)
    text: str = field(repr=False)
    key: bytes = field(repr=False)

    @property
    def view_id(self) -> bytes:
        """What the ticket keeps so that the link finds its place in the queue (16 bytes)."""
        return view_id(self.nonce)

    @property
    def nullifier(self) -> bytes:
        """The key of the right to rate (16 bytes)."""
        return nullifier(self.key, self.nonce)

    @property
    def paper_code(self) -> str:
        """The code printed for people without a smartphone."""
        return paper_code(self.nonce)


def issue(ring: KeyRing, office: int, day: date, nonce: bytes | None = None) -> VisitToken:
    """Make the token of a new ticket of this office and business day; the nonce is random unless given.

    Raises ValueError for an office outside 0 to 65535, a day outside 1936-04-15 to 2115-09-19 or another nonce length.
    """
    nonce = secrets.token_bytes(NONCE_BYTES) if nonce is None else nonce
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    number = (day - FIRST_DAY).days
    epoch = number // DAYS_PER_KEY
    try:
        body = HEADER.pack(VERSION << 4 | epoch & 0x0F, office, number) + nonce
    except struct.error as error:
        raise ValueError(f"office {office} or day {day} does not fit into a visit token") from error
    key = ring.key(epoch)
    return VisitToken(office, day, nonce, to_base32(body + tag(key, body)), key)


def decode(ring: KeyRing, text: str, today: date) -> VisitToken | None:
    """The token behind a link, or None for anything malformed, forged, older than 37 days or from after tomorrow."""
    data = from_base32(text)
    if data is None:
        return None
    body, claimed = data[:-TAG_BYTES], data[-TAG_BYTES:]
    first, office, number = HEADER.unpack_from(body)
    epoch = number // DAYS_PER_KEY
    key = ring.key(epoch)
    genuine = hmac.compare_digest(claimed, tag(key, body))
    if not genuine or first != VERSION << 4 | epoch & 0x0F:
        return None
    day = FIRST_DAY + timedelta(days=number)
    if not -DAYS_AHEAD <= (today - day).days <= DAYS_VALID:
        return None
    return VisitToken(office, day, body[HEADER.size :], to_base32(data), key)


def view_id(nonce: bytes) -> bytes:
    """SHA-256("view" + nonce), 16 bytes."""
    return sha256(b"view" + nonce).digest()[:16]


def nullifier(key: bytes, nonce: bytes) -> bytes:
    """HMAC-SHA-256(key, "rate" + nonce), 16 bytes; `key` is the key of the token's epoch."""
    return hmac.digest(key, b"rate" + nonce, "sha256")[:16]


def paper_code(nonce: bytes) -> str:
    """Six characters, 22^6 (113 million) possibilities, to be used with the ticket number and a limit on tries."""
    number = int.from_bytes(sha256(b"paper" + nonce).digest(), "big")
    code = ""
    for _ in range(PAPER_CHARACTERS):
        number, index = divmod(number, len(PAPER_ALPHABET))
        code += PAPER_ALPHABET[index]
    return code


def typed_paper_code(text: str) -> str | None:
    """A paper code as a person typed it, without spaces and hyphens and in capitals, or None if it cannot be one."""
    code = text.replace(" ", "").replace("-", "").upper()
    if len(code) != PAPER_CHARACTERS or not set(code) <= set(PAPER_ALPHABET):
        return None
    return code


def tag(key: bytes, body: bytes) -> bytes:
    """The proof that a token was made here."""
    return hmac.digest(key, body, "sha256")[:TAG_BYTES]


def to_base32(data: bytes) -> str:
    """25 bytes as 40 characters, without padding: 200 bits are 40 times five."""
    number = int.from_bytes(data, "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(5 * TOKEN_CHARACTERS - 5, -1, -5))


def from_base32(text: str) -> bytes | None:
    """The 25 bytes behind exactly 40 characters, or None."""
    if len(text) != TOKEN_CHARACTERS:
        return None
    number = 0
    for character in text:
        value = CROCKFORD_VALUES.get(character)
        if value is None:
            return None
        number = number << 5 | value
    return number.to_bytes(5 * TOKEN_CHARACTERS // 8, "big")
