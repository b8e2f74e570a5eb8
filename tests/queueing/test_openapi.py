"""The served OpenAPI document is true: a fuzzer finds no 5xx, no undocumented status, no other shape (T26)."""

import re
from collections import Counter
from itertools import product
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from queueing.openapi import document
from tests import cast
from tests.desk import Desk

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def quick(examples: int) -> settings:
    """The same examples on every run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def places(operation: APIOperation, tickets: list[str]) -> list[dict[str, Any]]:
    """Requests of this operation that are about something, so that not every call ends with 404."""
    known = {"office": [cast.OFFICE], "counter": ["1", "2"], "ticket": tickets, "unit": [cast.AN_BINH]}
    names = [name for name in known if f"{{{name}}}" in operation.path]
    found: list[dict[str, Any]] = [
        {"path_parameters": dict(zip(names, values, strict=True))}
        for values in product(*(known[name] for name in names))
    ]
    match operation.path.rpartition("/")[2]:
        case "tickets":
            found += [{**one, "body": {"service": service, "priority": None}} for one in found for service in "AB"]
        case "call":
            found += [{**one, "body": {"ticket": ticket}} for one in found for ticket in tickets]
        case "index":
            periods = ("2026-W47", "2026-11", "2026-Q4", "2026", "2026-W54")
            found += [{**one, "query": {"period": period}} for one in found for period in periods]
    return found


def cases(operation: APIOperation, tickets: list[str]) -> st.SearchStrategy[Case]:
    strategies = [
        operation.as_strategy(generation_mode=mode, **place)
        for place in ({}, *places(operation, tickets))
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    return st.one_of(strategies)


def description(app: Flask) -> BaseSchema:
    # Parameters that nobody documented are ignored, as everywhere; the token is given with every call.
    generation = GenerationConfig(allow_extra_parameters=False, with_security_parameters=False)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)


def fuzz(operation: APIOperation, tickets: list[str], headers: dict[str, str], examples: int) -> set[int]:
    """Send what fits and what does not; the statuses that came back."""
    statuses: set[int] = set()

    @quick(examples)
    @given(case=cases(operation, tickets))
    def run(case: Case) -> None:
        statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    run()
    return statuses


def test_a_fuzzer_finds_nothing_that_the_document_does_not_say(app: Flask, desk: Desk) -> None:
    desk.counter("1", "open")
    tickets = [desk.issue()["id"] for _ in range(3)]
    headers = {"Authorization": f"Bearer {desk.program.secret}"}
    is_sqlite = app.extensions["database"].is_sqlite
    examples = 25 if is_sqlite else 6
    operations = [result.ok() for result in description(app).get_all_operations()]
    seen = {operation.label: fuzz(operation, tickets, headers, examples) for operation in operations}
    unlucky = {name for name, statuses in seen.items() if not statuses & {200, 201, 204, 409}}
    assert unlucky == set() or not is_sqlite, "the fuzzer never got further than the door"


def test_a_fuzzer_that_goes_from_call_to_call_finds_nothing_either(app: Flask, desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.program.secret}"}
    desk.counter("1", "open"), desk.counter("2", "open")
    done: Counter[str] = Counter()

    class Day(description(app).as_state_machine()):  # type: ignore[misc]
        """Whatever the fuzzer wants to do, it does at An Bình's office."""

        def before_call(self, case: Case) -> None:
            if "office" in case.path_parameters:
                case.path_parameters["office"] = cast.OFFICE
            if "counter" in case.path_parameters:
                case.path_parameters["counter"] = str(1 + len(case.path_parameters["counter"]) % 2)
            if isinstance(case.body, dict) and isinstance(case.body.get("service"), str):
                case.body |= {"service": "A", "priority": None}

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"headers": headers}

        def validate_response(self, response: Any, case: Case, **kwargs: Any) -> None:
            case.validate_response(response, checks=CHECKS[:-1], headers=headers)
            done[f"{case.operation.label} {response.status_code}"] += 1

    is_sqlite = app.extensions["database"].is_sqlite
    run_state_machine_as_test(Day, settings=settings(quick(12 if is_sqlite else 4), stateful_step_count=20))
    assert done["POST /tickets/{ticket}/cancel 200"] or done["POST /tickets/{ticket}/finish 200"]


def test_every_route_of_the_api_is_in_the_document_and_the_other_way_round(sqlite_app: Flask) -> None:
    described = {(method, f"/api/v1{path}") for path, methods in document()["paths"].items() for method in methods}
    served = set()
    for rule in sqlite_app.url_map.iter_rules():
        for method in {name.lower() for name in rule.methods or ()} & {"get", "post", "put", "patch", "delete"}:
            if rule.rule.startswith("/api/"):
                served |= {(method, address) for address in addresses(rule.rule)}
    assert served - described == {("get", "/api/v1/openapi.json")}
    assert described - served == set()


def addresses(rule: str) -> list[str]:
    """A rule of Werkzeug as the addresses of OpenAPI; one with `any(…)` stands for several."""
    rule = re.sub(r"<(\w+)>", r"{\1}", rule)
    several = re.search(r"<any\((.*?)\):\w+>", rule)
    if several is None:
        return [rule]
    return [rule.replace(several[0], word.strip(" '")) for word in several[1].split(",")]
