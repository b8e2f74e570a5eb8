"""How often one caller may ask. Counted in memory, or in Redis when several processes serve."""

import logging
import time

import redis
from flask import Flask, current_app, request
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from core.errors import TooMany
from core.i18n import lazy
from core.settings import Settings

log = logging.getLogger(__name__)

REDIS_PATIENCE_S = 0.5
# After a failure Redis is left alone for so long, so that its absence slows one request and not all of them.
REDIS_REST_S = 5.0


class Limiter:
    """The counters of one application. When Redis does not answer, nobody is refused: work goes on without limits."""

    def __init__(self, redis_url: str) -> None:
        if redis_url:
            address = f"redis+{redis_url}" if redis_url.startswith("unix:") else redis_url
            patience = {"socket_connect_timeout": REDIS_PATIENCE_S, "socket_timeout": REDIS_PATIENCE_S}
            self._windows = FixedWindowRateLimiter(storage_from_string(address, **patience))
        else:
            self._windows = FixedWindowRateLimiter(storage_from_string("memory://"))
        self._rests_until = 0.0

    def is_within(self, rule: RateLimitItem, *who: str) -> bool:
        """Count one use of the rule by `who`; whether it was still allowed."""
        if time.monotonic() < self._rests_until:
            return True
        try:
            return self._windows.hit(rule, *who)
        except redis.RedisError as error:
            self._rests_until = time.monotonic() + REDIS_REST_S
            log.warning("Redis does not answer (%s): no rate limits for %s s", type(error).__name__, REDIS_REST_S)
            return True


def install(app: Flask, settings: Settings) -> None:
    """One counter store for all limits of the application."""
    app.extensions["limiter"] = Limiter(settings.redis_url)


def spend(rule: str, *who: str) -> None:
    """Count one use of `rule` ("20 per minute") by `who`; raises TooMany when it is used up."""
    limiter: Limiter = current_app.extensions["limiter"]
    limit = parse(rule)
    if not limiter.is_within(limit, *who):
        raise TooMany(lazy("Đã có quá nhiều yêu cầu. Xin thử lại sau một phút."), retry_after_s=limit.get_expiry())


def network_prefix() -> str:
    """The caller's network: /24 for IPv4, /48 for IPv6; never the full address."""
    address = request.remote_addr or "unknown"
    return ":".join(address.split(":")[:3]) if ":" in address else ".".join(address.split(".")[:3])
