"""The desk for the tests of this folder."""

from tests.desk import desk, monday

__all__ = ["desk", "monday"]
