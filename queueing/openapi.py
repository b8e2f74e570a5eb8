"""The OpenAPI 3.1 document, and the schemas by which request bodies are checked: one source for both."""

from typing import Any

Schema = dict[str, Any]

EMPTY_BODY: Schema = {"type": "object", "properties": {}, "additionalProperties": True}
TICKET_BODY: Schema = {
    "type": "object",
    "required": ["service"],
    "properties": {
        "service": {"type": "string", "maxLength": 16, "description": "code of the service"},
        "priority": {"type": ["string", "null"], "maxLength": 32, "description": "code of a priority class, or null"},
        "channel": {"enum": ["kiosk", "reception", "phone", "api"], "description": "where the ticket is taken"},
    },
    "additionalProperties": False,
}
PAUSE_BODY: Schema = {
    "type": "object",
    "required": ["reason"],
    "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 120}},
    "additionalProperties": False,
}
CALL_BODY: Schema = {
    "type": "object",
    "required": ["ticket"],
    "properties": {"ticket": {"type": "string", "maxLength": 32}},
    "additionalProperties": False,
}

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
LARGE_WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
NUMBER: Schema = {"type": ["number", "null"]}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
DATE: Schema = {"type": "string", "format": "date"}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


COUNTER = _object(code=TEXT, name=TEXT, state={"enum": ["open", "paused", "closed"]}, services=_list(TEXT))
TICKET_STATE: Schema = {"enum": ["waiting", "called", "serving", "parked", "done", "no_show", "cancelled", "expired"]}
TICKET = _object(
    id=TEXT,
    number=TEXT,
    office=TEXT,
    service=TEXT,
    priority=MAYBE_TEXT,
    state=TICKET_STATE,
    channel=TEXT,
    business_date=DATE,
    issued_at=MOMENT,
    called_at=MAYBE_MOMENT,
    started_at=MAYBE_MOMENT,
    finished_at=MAYBE_MOMENT,
    counter=MAYBE_TEXT,
    calls=WHOLE,
    ahead={"type": ["integer", "null"]},
    wait=_maybe(_object(low_min=WHOLE, high_min=WHOLE)),
    reason=MAYBE_TEXT,
    url=MAYBE_TEXT,
)
OFFICE = _object(
    code=TEXT,
    name=TEXT,
    unit=TEXT,
    timezone=TEXT,
    business_date=DATE,
    open={"type": "boolean"},
    services=_list(_object(code=TEXT, name=TEXT, prefix=TEXT, active={"type": "boolean"})),
    counters=_list(COUNTER),
)
SNAPSHOT = _object(
    office=TEXT,
    revision=WHOLE,
    business_date=DATE,
    at=MOMENT,
    open={"type": "boolean"},
    calls=_list(_object(number=TEXT, counter=MAYBE_TEXT, called_at=MOMENT, state=TICKET_STATE)),
    counters=_list(_object(code=TEXT, state=TEXT, number=MAYBE_TEXT)),
    services=_list(_object(code=TEXT, name=TEXT, waiting=WHOLE, longest_wait_s=WHOLE)),
    waiting=WHOLE,
)
EVENT = _object(
    office=TEXT,
    revision=WHOLE,
    at=MOMENT,
    kind=TEXT,
    ticket=_maybe(_object(id=TEXT, number=TEXT, service=TEXT, state=TICKET_STATE, counter=MAYBE_TEXT)),
    counter=_maybe(_object(code=TEXT, state=TEXT)),
    waiting={"type": "object", "additionalProperties": WHOLE},
)
PAIR = _maybe({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2})
INDEX = _object(
    unit=TEXT,
    period=TEXT,
    method=TEXT,
    questionnaire=TEXT,
    served=WHOLE,
    invited=WHOLE,
    answered={"type": ["integer", "null"]},
    response_rate=NUMBER,
    published_at=MAYBE_MOMENT,
    index=NUMBER,
    interval=PAIR,
    elements=_list(
        _object(
            code=TEXT,
            name=TEXT,
            n={"type": ["integer", "null"]},
            index=NUMBER,
            interval=PAIR,
            levels=_maybe({"type": "array", "items": WHOLE, "minItems": 5, "maxItems": 5}),
        )
    ),
    bounds=PAIR,
    suppressed={"type": "boolean"},
    note=MAYBE_TEXT,
)
UNIT_ROW = _object(
    code=TEXT,
    name=TEXT,
    kind=TEXT,
    valid_from=DATE,
    valid_to={"type": ["string", "null"], "format": "date"},
    predecessors=_list(_object(code=TEXT, name=TEXT, until=DATE)),
)
PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": WHOLE,
        "detail": TEXT,
        "state": TEXT,
        "reason": TEXT,
        "retry_after_s": WHOLE,
    },
}

PROBLEMS = {
    400: "the request cannot be read",
    401: "no token, or one that is not valid",
    403: "the token is for another role, office or unit",
    404: "it does not exist",
    409: "the rules do not allow it now; `reason` or `state` says why",
    413: "the body is larger than 64 KB",
    415: "the body is not application/json",
    422: "the body, a parameter or the idempotency key does not make sense",
    429: "too many requests; Retry-After says how long to wait",
    503: "the database is busy; try again",
}

OFFICE_PATH = {"name": "office", "in": "path", "required": True, "schema": TEXT}
COUNTER_PATH = {"name": "counter", "in": "path", "required": True, "schema": TEXT}
TICKET_PATH = {"name": "ticket", "in": "path", "required": True, "schema": TEXT}
UNIT_PATH = {"name": "unit", "in": "path", "required": True, "schema": TEXT}
KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "made by the caller; the same key with the same body has one effect and one reply for 48 hours",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64},
}


def document() -> Schema:
    """The whole API as OpenAPI 3.1."""
    paths: Schema = {
        "/offices/{office}": {"get": _read("The set-up of an office", OFFICE, [OFFICE_PATH])},
        "/offices/{office}/tickets": {
            "post": _command("Issue a ticket", [OFFICE_PATH], TICKET_BODY, {201: TICKET}, extra=(429,))
        },
        "/tickets/{ticket}": {"get": _read("A ticket", TICKET, [TICKET_PATH])},
        "/offices/{office}/state": {
            "get": {
                **_read("What hangs on the wall; needs no token", SNAPSHOT, [OFFICE_PATH, _if_none_match()], (304,)),
                "security": [],
            }
        },
        "/offices/{office}/events": {
            "get": _read(
                "The history of the office after a revision, in order, without gaps",
                _object(events=_list(EVENT), revision=WHOLE),
                [
                    OFFICE_PATH,
                    _query("after", LARGE_WHOLE),
                    _query("limit", {**LARGE_WHOLE, "description": "500 events at most are given at once"}),
                ],
            )
        },
        "/units/{unit}/index": {
            "get": _read(
                "The satisfaction index of a unit in a fixed period",
                INDEX,
                [
                    UNIT_PATH,
                    {**_query("period", TEXT), "required": True},
                    _query("method", {"enum": ["top-two", "mean5", "rescaled"]}),
                    _query("as", {"enum": ["then", "now"]}),
                ],
            )
        },
        "/units/{unit}/children": {
            "get": _read("The units below, with validity and predecessors", _list(UNIT_ROW), [UNIT_PATH])
        },
    }
    for verb, body in (("open", EMPTY_BODY), ("pause", PAUSE_BODY), ("close", EMPTY_BODY)):
        paths[f"/offices/{{office}}/counters/{{counter}}/{verb}"] = {
            "post": _command(f"{verb.capitalize()} a counter", [OFFICE_PATH, COUNTER_PATH], body, {200: COUNTER})
        }
    paths["/offices/{office}/counters/{counter}/call-next"] = {
        "post": _command(
            "Call whoever is next; a visit still open at the counter is finished by the same command",
            [OFFICE_PATH, COUNTER_PATH],
            EMPTY_BODY,
            {200: TICKET, 204: None},
        )
    }
    paths["/offices/{office}/counters/{counter}/call"] = {
        "post": _command("Call one particular ticket", [OFFICE_PATH, COUNTER_PATH], CALL_BODY, {200: TICKET})
    }
    for verb in ("recall", "start", "finish", "no-show", "cancel"):
        paths[f"/tickets/{{ticket}}/{verb}"] = {
            "post": _command(f"{verb.capitalize()} a ticket", [TICKET_PATH], EMPTY_BODY, {200: TICKET})
        }
    _name_and_link(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Một Cửa", "version": "1", "description": "Counter queue and citizen satisfaction."},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _name_and_link(paths: Schema) -> None:
    """Give every operation its name, such as `post_tickets_finish`, and say what can be done with a ticket in hand."""
    for path, methods in paths.items():
        words = [word for word in path.split("/") if word and not word.startswith("{")]
        for method, operation in methods.items():
            operation["operationId"] = "_".join((method, *words)).replace("-", "_")
    links = {
        operation["operationId"]: {
            "operationId": operation["operationId"],
            "parameters": {"ticket": "$response.body#/id"},
        }
        for path, methods in paths.items()
        if path.startswith("/tickets/{ticket}")
        for operation in methods.values()
    }
    paths["/offices/{office}/tickets"]["post"]["responses"]["201"]["links"] = links
    paths["/offices/{office}/counters/{counter}/call-next"]["post"]["responses"]["200"]["links"] = links


def _read(summary: str, schema: Schema, parameters: list[Schema], extra: tuple[int, ...] = ()) -> Schema:
    responses: Schema = {"200": _content(schema)}
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": responses | _problems(400, 401, 403, 404, 422, *extra),
    }


def _command(
    summary: str,
    parameters: list[Schema],
    body: Schema,
    replies: dict[int, Schema | None],
    extra: tuple[int, ...] = (),
) -> Schema:
    responses: Schema = {
        str(status): _content(schema) if schema else {"description": "nobody waits"}
        for status, schema in replies.items()
    }
    return {
        "summary": summary,
        "parameters": [*parameters, KEY_HEADER],
        "requestBody": {"required": "required" in body, "content": {"application/json": {"schema": body}}},
        "responses": responses | _problems(400, 401, 403, 404, 409, 413, 415, 422, 503, *extra),
    }


def _problems(*statuses: int) -> Schema:
    said: Schema = {}
    for status in sorted(set(statuses)):
        if status == 304:
            said["304"] = {"description": "nothing has changed since"}
        else:
            content = {"application/problem+json": {"schema": PROBLEM}}
            said[str(status)] = {"description": PROBLEMS[status], "content": content}
    return said


def _content(schema: Schema) -> Schema:
    return {"description": "done", "content": {"application/json": {"schema": schema}}}


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "schema": schema}


def _if_none_match() -> Schema:
    return {"name": "If-None-Match", "in": "header", "schema": TEXT}
