"""What every page and API answer shares: protection, headers, refusals, and the helpers of the templates."""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, make_response, render_template, request, url_for
from sqlalchemy.exc import NoResultFound
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from core.errors import Refused
from core.i18n import lazy
from core.settings import Settings

log = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
LARGEST_BODY = 64 * 1024
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
SESSION_COOKIES = ("motcua", "__Host-motcua", "motcua-device", "__Host-motcua-device")

TITLES = {
    400: lazy("Yêu cầu không đọc được"),
    401: lazy("Cần đăng nhập"),
    403: lazy("Không có quyền"),
    404: lazy("Không tìm thấy"),
    405: lazy("Cách gửi không đúng"),
    409: lazy("Không thực hiện được lúc này"),
    413: lazy("Nội dung quá lớn"),
    415: lazy("Kiểu nội dung không đúng"),
    422: lazy("Dữ liệu chưa đúng"),
    429: lazy("Xin chờ một chút"),
    500: lazy("Hệ thống gặp lỗi"),
    503: lazy("Hệ thống đang bận"),
}
ADVICE = {
    400: lazy("Xin kiểm tra lại địa chỉ hoặc nội dung đã gửi."),
    422: lazy("Nội dung đã gửi có ký tự không dùng được. Xin nhập lại."),
    404: lazy("Địa chỉ này không có. Xin kiểm tra lại, hoặc trở về trang đầu."),
    405: lazy("Xin trở lại trang trước và bấm nút trên trang."),
    413: lazy("Mỗi lần gửi tối đa 64 KB."),
    415: lazy("Xin gửi dữ liệu dạng application/json."),
    429: lazy("Đã có quá nhiều yêu cầu. Xin thử lại sau một phút."),
    500: lazy("Lỗi đã được ghi lại. Xin thử lại, hoặc báo cho người quản trị."),
}


def protect(app: Flask, settings: Settings) -> None:
    """Limits, CSRF check, headers and error answers for every route of the application."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    if settings.trusted_hosts:
        app.config["TRUSTED_HOSTS"] = list(settings.trusted_hosts)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    # "//" in an address is a mistake to be told, not a redirection.
    app.url_map.merge_slashes = False
    app.before_request(refuse_foreign_origin)
    app.before_request(refuse_nul)
    app.after_request(set_headers)
    app.register_error_handler(Refused, answer_refusal)
    app.register_error_handler(NoResultFound, lambda _: answer_error(404))
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(Exception, answer_bug)
    app.jinja_env.globals.update(static_url=static_url, new_key=lambda: secrets.token_urlsafe(12))


def public(view: View) -> View:
    """Anyone may call this route; every route says who may, and a test walks the map."""
    view.rule = "public"  # type: ignore[attr-defined]
    return view


def refuse_foreign_origin() -> Response | None:
    """Nothing changes at the wish of another site (CSRF): fetch metadata first, Origin where a browser is older."""
    if request.method in SAFE_METHODS or "Authorization" in request.headers:
        return None
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    elif origin is not None:
        foreign = urlsplit(origin).netloc != request.host
    else:
        foreign = any(name in request.cookies for name in SESSION_COOKIES)
    return (
        answer_error(403, lazy("Yêu cầu đến từ một trang khác. Xin mở lại trang này và thử lại.")) if foreign else None
    )


def refuse_nul() -> Response | None:
    """No name or text holds the character NUL, and PostgreSQL stores none: nothing after this has to think of it."""
    if "\0" in request.path:
        return answer_error(404)
    texts = [*request.args.values()]
    if not request.path.startswith("/api/"):
        texts += request.form.values()
    return answer_error(422) if any("\0" in text for text in texts) else None


def set_headers(response: Response) -> Response:
    """The same protection on every answer, errors included."""
    headers = response.headers
    headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    is_file = request.endpoint == "static" and response.status_code < 400
    if is_file and "v" in request.args:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif not is_file and "ETag" not in headers:
        headers["Cache-Control"] = "no-store"
    return response


def answer_refusal(refusal: Refused) -> Response:
    """A rule said no: a problem document for a program, a page for a person."""
    return answer_error(refusal.status, refusal.sentence, **refusal.keys)


def answer_http_exception(error: HTTPException) -> Response:
    """Werkzeug's own refusals (404, 405, 413, 429 …) in our words."""
    if error.code is None or error.code < 400:
        return make_response(error.get_response())
    if isinstance(error, SecurityError):
        # Without a host that is ours, no link of a page can be made.
        return Response("400\n", status=400, mimetype="text/plain")
    response = answer_error(error.code)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def answer_bug(error: Exception) -> Response:
    """A bug is a 500. Tests let it through; the log names the route, never its address or body."""
    if current_app.testing:
        raise error
    log.error("unexpected error in %s", request.endpoint, exc_info=error)
    return answer_error(500)


def answer_error(status: int, sentence: object = None, **keys: Any) -> Response:
    """One refusal in the form its reader understands."""
    title = str(TITLES.get(status, TITLES[400 if status < 500 else 500]))
    text = str(sentence or ADVICE.get(status, ADVICE[400 if status < 500 else 500]))
    if request.path.startswith("/api/"):
        return problem(status, title, text, **keys)
    back_url = request.path if request.method != "GET" and status in (409, 429) else url_for("dashboards.home")
    page = render_template("errors/error.html", code=status, title=title, text=text, back_url=back_url)
    response = make_response(page, status)
    _tell_when_to_retry(response, keys)
    if status == 401:
        response.headers["Location"] = url_for("accounts.login", next=request.full_path.rstrip("?"))
        response.status_code = 303
    return response


def problem(status: int, title: str, detail: str, **keys: Any) -> Response:
    """An RFC 9457 problem document."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, **keys}
    body = json.dumps(document, ensure_ascii=False)
    response = Response(body, status=status, mimetype="application/problem+json")
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    _tell_when_to_retry(response, keys)
    return response


def _tell_when_to_retry(response: Response, keys: dict[str, Any]) -> None:
    if "retry_after_s" in keys:
        response.headers["Retry-After"] = str(keys["retry_after_s"])


def static_url(name: str) -> str:
    """Address of a file under static/ that changes with its content, so it may be cached for ever."""
    folder = current_app.static_folder
    assert folder is not None
    path = Path(folder) / name
    return url_for("static", filename=name, v=_digest(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=256)
def _digest(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]
