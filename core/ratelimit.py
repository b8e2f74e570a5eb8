"""How often one caller may ask. Counted in memory, or in Redis when several processes serve."""

from flask import Flask, current_app, request
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from core.errors import TooMany
from core.i18n import lazy
from core.settings import Settings


def install(app: Flask, settings: Settings) -> None:
    """One counter store for all limits of the application."""
    storage = storage_from_string(settings.redis_url or "memory://")
    app.extensions["limiter"] = FixedWindowRateLimiter(storage)


def spend(rule: str, *who: str) -> None:
    """Count one use of `rule` ("20 per minute") by `who`; raises TooMany when it is used up."""
    limiter: FixedWindowRateLimiter = current_app.extensions["limiter"]
    if not limiter.hit(parse(rule), *who):
        seconds = parse(rule).get_expiry()
        raise TooMany(lazy("Đã có quá nhiều yêu cầu. Xin thử lại sau một phút."), retry_after_s=seconds)


def network_prefix() -> str:
    """The caller's network: /24 for IPv4, /48 for IPv6; never the full address."""
    address = request.remote_addr or "unknown"
    return ":".join(address.split(":")[:3]) if ":" in address else ".".join(address.split(".")[:3])
