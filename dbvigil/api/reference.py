"""What the reference page shows, taken from the OpenAPI document, so that the two cannot differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from dbvigil.api.problems import KINDS, Kind

_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}


@dataclass(frozen=True, slots=True)
class Type:
    """A type in words; `link` names the component in its middle, if there is one."""

    before: str = ""
    link: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter or key."""

    name: str
    type: Type
    needed: bool
    help: SafeString
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    title: str
    help: SafeString
    parameters: tuple[Row, ...]
    body: tuple[Row, ...]
    answer: Type
    problems: tuple[str, ...]
    example: str

    @property
    def link(self) -> bool:
        """Whether a browser can simply go there."""
        return self.method == "GET" and "{" not in self.path


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of object in an answer."""

    name: str
    help: SafeString
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page, in the order in which it is shown."""

    version: str
    introduction: tuple[SafeString, ...]
    addresses: tuple[Address, ...]
    shapes: tuple[Shape, ...]
    problems: tuple[tuple[Kind, SafeString], ...]


def page(document: Mapping[str, Any], host: str) -> Page:
    """The page of `document`; `host` ("https://host") stands in the examples."""
    components = document["components"]["schemas"]
    bodies = {name for name in components if components[name].get("additionalProperties") is False}
    return Page(
        version=document["info"]["version"],
        introduction=tuple(prose(text) for text in document["info"]["description"].strip().split("\n\n")),
        addresses=tuple(_addresses(document, host)),
        shapes=tuple(
            Shape(name, prose(components[name].get("description", "")), tuple(_rows(components[name])))
            for name in sorted(set(components) - bodies)
        ),
        problems=tuple((kind, prose(kind.when)) for kind in KINDS),
    )


def _addresses(document: Mapping[str, Any], host: str) -> Iterator[Address]:
    for path, methods in document["paths"].items():
        for method, declared in methods.items():
            content = declared.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield Address(
                anchor=declared["operationId"],
                method=method.upper(),
                path=path,
                title=declared["summary"],
                help=prose(declared["description"]),
                parameters=tuple(
                    Row(
                        item["name"],
                        type_of(item["schema"]),
                        item.get("required", False),
                        prose(item.get("description", "")),
                        values(item["schema"]),
                    )
                    for item in declared.get("parameters", ())
                ),
                body=tuple(_rows(_resolve(document, content["schema"]))) if content else (),
                answer=type_of(declared["responses"]["200"]["content"]["application/json"]["schema"]),
                problems=tuple(status for status in declared["responses"] if status != "200"),
                example=_curl(host, path, method, content.get("example")),
            )


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][_name(schema)]
    return found


def _rows(schema: Mapping[str, Any]) -> Iterator[Row]:
    needed = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        yield Row(name, type_of(member), name in needed, prose(member.get("description", "")), values(member))


def prose(text: str) -> SafeString:
    """A description as HTML: `code` is the only markup it has."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S308 - escaped before


def values(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The values that a choice allows."""
    found = schema.get("enum") or schema.get("items", {}).get("enum") or ()
    return tuple(str(value) for value in found if value is not None)


def type_of(schema: Mapping[str, Any]) -> Type:
    """A JSON Schema in words."""
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return _either(schema[key])
    if "$ref" in schema:
        return Type(link=_name(schema))
    if "const" in schema:
        return Type(str(schema["const"]))
    kinds = schema.get("type", "any value")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    after = " or null" if "null" in kinds[1:] else ""
    kind = kinds[0]
    if kind == "array":
        inner = type_of(schema["items"])
        return Type(f"list of {inner.before}", inner.link, inner.after + after)
    if kind == "object" and schema.get("additionalProperties"):
        inner = type_of(schema["additionalProperties"])
        return Type(f"name → {inner.before}", inner.link, inner.after + after)
    text = "time" if schema.get("format") == "date-time" else _NAMES.get(kind, kind)
    if "minimum" in schema and "maximum" in schema:
        text += f", {_short(schema['minimum'])} to {_short(schema['maximum'])}"
    return Type(text + after)


def _short(number: float) -> str:
    return f"{number:.0e}" if abs(number) >= 1e9 else f"{number:g}"


def _either(options: list[Mapping[str, Any]]) -> Type:
    kinds = [type_of(option) for option in options]
    linked = [kind for kind in kinds if kind.link]
    words = [kind.before for kind in kinds if not kind.link]
    if linked:
        return Type(
            linked[0].before, linked[0].link, linked[0].after + "".join(f" or {word}" for word in words)
        )
    return Type(" or ".join(words))


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _curl(host: str, path: str, method: str, body: object) -> str:
    address = host + path.replace("{database}", "default")
    lines = [f'curl -H "Authorization: Bearer $TOKEN" {address}']
    if method == "post":
        lines = [
            f'curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" {address}',
            f"     -d '{json.dumps(body)}'",
        ]
    return " \\\n".join(lines)
