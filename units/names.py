"""Vietnamese names of units, counters and services: finding, sorting and shortening them.

PostgreSQL and SQLite as we install them have no Vietnamese collation, and SQLite does not know that Đ and đ are
one letter. So the text that is searched and the text that is sorted by are computed here and stored beside the name.
"""

import re
from unicodedata import category, normalize

APOSTROPHES = frozenset("'’‘ʼ`´ʹ′")
"""Signs inside one word (Ea H’leo): leaving them out must not hide the commune from who types Ea Hleo."""

BARRED_D = str.maketrans({"đ": "d", "ð": "d"})
"""Đ has no decomposition in Unicode. Ð (Icelandic eth) looks the same and occurs in old files."""

PREFIXES = {
    "Tỉnh": "province",
    "Thành phố": "city",
    "Phường": "phuong",
    "Xã": "xa",
    "Đặc khu": "dac_khu",
    "Thị trấn": "thi_tran",
    "Thị xã": "district",
    "Quận": "district",
    "Huyện": "district",
}
"""What an official name begins with, and the kind of unit it says. (Before 07/2025 some Thành phố were districts.)"""

TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
"""Order of the tones: ngang (0, no mark), huyền, hỏi, ngã, sắc, nặng."""

LETTERS = {
    "a\u0306": "a~",
    "a\u0302": "a~~",
    "e\u0302": "e~",
    "o\u0302": "o~",
    "o\u031b": "o~~",
    "u\u031b": "u~",
}
"""Letters of their own (ă, â, ê, ô, ơ, ư). ``~`` is above ``z``: ă comes after every word that goes on with plain a."""


def fold(text: str) -> str:
    """Reduce a text to what a person types into a search box without an input method.

    Case, marks, Đ/đ, where the tone mark stands (Hoà, Hòa), apostrophes and spaces make no difference; hyphens and
    other signs count as spaces. Đắk Lắk and đăk lăk both give ``"dak lak"``, Ea H’Leo and Ea Hleo ``"ea hleo"``.
    Folding a folded text changes nothing.
    """
    return " ".join(
        "".join(char for char in word if category(char) != "Mn").translate(BARRED_D) for word in _words(text)
    )


def sort_key(text: str) -> str:
    """Text to sort by in the order of Vietnamese dictionaries, for stored columns and for ``sorted(key=…)``.

    The alphabet a ă â b c d đ e ê … decides first, word by word and without regard to case; then the tones (ngang,
    huyền, hỏi, ngã, sắc, nặng), first word first. Numbers come before letters and by value: Quầy 2, Quầy 10.
    Hoà and Hòa have one key, because the tone belongs to the syllable.

    The key of a Vietnamese text is plain ASCII, ``"d~a~k-la~k 4-4"`` for Đắk Lắk, and is to be compared byte by byte
    (in PostgreSQL: a column with ``COLLATE "C"``; a language's collation would skip the signs in it).
    """
    letters, tones = [], []
    for word in _words(text):
        word_letters, word_tones = _spell(word)
        letters.append(word_letters)
        tones.append(word_tones)
    return f"{'-'.join(letters)} {'-'.join(tones)}"


def bare_name(full: str) -> str:
    """Shorten an official name for places where the kind of unit is clear: ``"Xã Ea Drăng"`` to ``"Ea Drăng"``.

    A name that is or begins with a number stays as it is (``"Phường 5"``), for ``"5"`` is no name.
    """
    full = normalize("NFC", full)
    for prefix in PREFIXES:
        rest = full[len(prefix) + 1 :]
        if full[: len(prefix) + 1].lower() == f"{prefix} ".lower() and rest and not rest[0].isdigit():
            return rest
    return full


def _words(text: str) -> list[str]:
    """Split a text into lower-case words whose letters and marks stand apart."""
    # Twice: a few capital letters come apart only after they have been made small.
    text = normalize("NFKD", normalize("NFKD", text).casefold())
    kept = (char if char.isalnum() or category(char) == "Mn" else " " for char in text if char not in APOSTROPHES)
    # Words of marks alone would fold to nothing and leave two spaces behind.
    return [word for word in "".join(kept).split() if any(category(char) != "Mn" for char in word)]


def _spell(word: str) -> tuple[str, str]:
    """Letters of one word in sortable form, and its tone, ``0`` to ``5`` (a digit for each mark, if it bears more)."""
    letters: list[str] = []
    tones = ""
    for char in re.findall(r"[0-9]+|.", word, re.DOTALL):
        if char in TONES:
            tones += TONES[char]
        elif letters and letters[-1] + char in LETTERS:
            letters[-1] = LETTERS[letters[-1] + char]
        elif char in "đð":
            letters.append("d~")
        elif char[0] in "0123456789":
            letters.append(_number(char))
        elif category(char) != "Mn":
            letters.append(char)
    return "".join(letters), tones or "0"


def _number(digits: str) -> str:
    """Digits preceded by how many they are, so that 10 comes after 9 when texts are compared."""
    digits = digits.lstrip("0")
    nines, rest = divmod(len(digits), 9)
    return "9" * nines + str(rest) + digits
