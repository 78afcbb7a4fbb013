"""Parameters, checked against the SDK's own TypedDicts (SB-01): unknown, missing, mistyped are refused by name."""

from __future__ import annotations

import importlib
import sys
import types
import typing
from decimal import Decimal
from typing import Any, Literal, NotRequired, Required
from urllib.parse import unquote_plus

from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict

from .errors import StripeError, invalid

OPTIONS = set(RequestOptions.__annotations__)
# Gone as input since 2026-09-30.endive, whatever a TypedDict says (reliability.md, finding 2).
RETIRED = {"payment_method_types": "payment_method_types_no_longer_supported"}


def decode_form(raw: str) -> dict[str, Any]:
    """`a[b][0]=c` as nested dicts; a list stays a dict of its indices until its type is known."""
    out: dict[str, Any] = {}
    for pair in raw.split("&"):
        if not pair:
            continue
        key, _, value = pair.partition("=")
        key, value = unquote_plus(key), unquote_plus(value)
        head, bracket, tail = key.partition("[")
        if not bracket:
            out[head] = value
            continue
        here, steps = out, [head, *tail.rstrip("]").split("][")]
        for step in steps[:-1]:
            below = here.setdefault(step or str(len(here)), {})
            if not isinstance(below, dict):
                raise invalid(f"Invalid {head}", head, "parameter_invalid_hash")
            here = below
        here[steps[-1] or str(len(here))] = value
    return out


class Kind:
    """One type of a parameter: `check` gives the value in its Python form or raises a 400 that names the path."""

    def check(self, value: Any, path: str, json: bool) -> Any:
        return value


class Text(Kind):
    def check(self, value: Any, path: str, json: bool) -> str:
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {value!r}", path, "parameter_invalid_string")
        if not value and not json:
            raise invalid(
                f"You passed an empty string for '{path}', which cannot be unset.", path, "parameter_invalid_empty"
            )
        if len(value) > 5000:
            raise invalid(
                f"Invalid string: must be at most 5000 characters ({path}).", path, "parameter_invalid_string"
            )
        return value


class Integer(Kind):
    def check(self, value: Any, path: str, json: bool) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if not json and isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit():
            return int(value)
        raise invalid(f"Invalid integer: {value}", path, "parameter_invalid_integer")


class Number(Kind):
    def check(self, value: Any, path: str, json: bool) -> str:
        try:
            return str(Decimal(str(value)))
        except ArithmeticError:
            raise invalid(f"Invalid decimal: {value}", path, "parameter_invalid_decimal") from None


class Flag(Kind):
    def check(self, value: Any, path: str, json: bool) -> bool:
        if isinstance(value, bool):
            return value
        if not json and value in ("true", "false"):
            return value == "true"
        raise invalid(f"Invalid boolean: {value}", path, "parameter_invalid_boolean")


class Choice(Kind):
    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values

    def check(self, value: Any, path: str, json: bool) -> Any:
        if value in self.values:
            return value
        raise invalid(
            f"Invalid {path}: must be one of {', '.join(map(str, self.values))}", path, "parameter_invalid_enum"
        )


class Array(Kind):
    def __init__(self, item: Any, home: str) -> None:
        self.item = kind_of(item, home)

    def check(self, value: Any, path: str, json: bool) -> list[Any]:
        if isinstance(value, dict) and not json:
            if not all(key.isdigit() for key in value):
                raise invalid("Invalid array", path, "parameter_invalid_array")
            value = [value[key] for key in sorted(value, key=int)]
        if not isinstance(value, list):
            raise invalid("Invalid array", path, "parameter_invalid_array")
        return [self.item.check(item, f"{path}[{n}]", json) for n, item in enumerate(value)]


class Map(Kind):
    """Free keys: metadata. At most 50 keys, names to 40 and values to 500 characters."""

    def check(self, value: Any, path: str, json: bool) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid("Invalid hash", path, "parameter_invalid_hash")
        if len(value) > 50:
            raise invalid("Metadata can have up to 50 keys.", path, "parameter_invalid_hash")
        for key, item in value.items():
            if len(key) > 40:
                raise invalid("Metadata keys can have up to 40 characters.", path, "parameter_invalid_string")
            if item is not None and not isinstance(item, str):
                raise invalid("Metadata values must be strings.", f"{path}[{key}]", "parameter_invalid_string")
            if item is not None and len(item) > 500:
                raise invalid(
                    "Metadata values can have up to 500 characters.", f"{path}[{key}]", "parameter_invalid_string"
                )
        return value


class Record(Kind):
    """A TypedDict; its fields are resolved at first use, because the big ones have hundreds."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls
        self.fields: dict[str, tuple[bool, Kind]] | None = None

    def resolve(self) -> dict[str, tuple[bool, Kind]]:
        self.fields = {}
        home = self.cls.__module__
        for name, hint in self.cls.__annotations__.items():
            if name not in OPTIONS:
                hint = _evaluate(hint, home)
                optional = typing.get_origin(hint) is NotRequired
                if typing.get_origin(hint) in (NotRequired, Required):
                    hint = typing.get_args(hint)[0]
                self.fields[name] = (not optional, kind_of(hint, home))
        return self.fields

    def check(self, value: Any, path: str, json: bool) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid("Invalid object", path, "parameter_invalid_hash")
        fields = self.fields or self.resolve()
        out = {}
        for name, item in value.items():
            where = _below(path, name, json)
            if (
                not path
                and name in RETIRED
                and self.cls.__name__.startswith(("PaymentIntent", "SetupIntent", "Session"))
            ):
                raise invalid(
                    f"{name} is no longer supported as input; use dynamic payment methods.", where, RETIRED[name]
                )
            if name not in fields:
                raise invalid(f"Received unknown parameter: {where}", where, "parameter_unknown")
            out[name] = None if item is None and json else fields[name][1].check(item, where, json)
        for name, (required, _) in fields.items():
            if required and name not in value:
                where = _below(path, name, json)
                raise invalid(f"Missing required param: {where}.", where, "parameter_missing")
        return out


def _below(path: str, name: str, json: bool) -> str:
    """v1 names a nested parameter `a[b]`, v2 `a.b`."""
    if not path:
        return name
    return f"{path}.{name}" if json else f"{path}[{name}]"


class Either(Kind):
    def __init__(self, kinds: list[Kind]) -> None:
        self.kinds = kinds

    def check(self, value: Any, path: str, json: bool) -> Any:
        refusal: StripeError | None = None
        for kind in self.kinds:
            try:
                return kind.check(value, path, json)
            except StripeError as error:
                # of several refusals the deepest tells most: it is about a field inside, not about the shape
                if refusal is None or len(error.error.get("param", "")) >= len(refusal.error.get("param", "")):
                    refusal = error
        assert refusal is not None
        raise refusal


class Unset(Kind):
    """The empty string that Stripe takes as "remove this"."""

    def check(self, value: Any, path: str, json: bool) -> str:
        if value == "":
            return ""
        raise invalid(f"Invalid {path}", "", None)


_records: dict[Any, Record] = {}


def record(cls: Any) -> Record:
    return _records.setdefault(cls, Record(cls))


def _evaluate(hint: Any, home: str) -> Any:
    if isinstance(hint, (str, typing.ForwardRef)):
        source = hint if isinstance(hint, str) else hint.__forward_arg__
        scope = {**vars(typing), **vars(sys.modules[home])}
        return _evaluate(eval(source, scope), home)  # noqa: S307 - text of the installed SDK, not of a caller
    return hint


def kind_of(hint: Any, home: str) -> Kind:
    hint = _evaluate(hint, home)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    simple: dict[Any, type[Kind]] = {str: Text, int: Integer, bool: Flag, float: Number, Decimal: Number}
    if hint in simple:
        return simple[hint]()
    if is_typeddict(hint):
        return record(hint)
    if origin is Literal:
        return Unset() if args == ("",) else Choice(args)
    if origin in (list, list):
        return Array(args[0], home)
    if origin in (typing.Union, types.UnionType):
        kinds = [kind_of(arg, home) for arg in args if arg is not type(None)]
        closed = any(isinstance(kind, Choice) for kind in kinds)
        # "Literal[...] | str" is the SDK's way to say that Stripe may add values; what exists today is the list
        kinds = [kind for kind in kinds if not (closed and isinstance(kind, Text))]
        if any(isinstance(kind, Map) for kind in kinds):
            kinds = [kind for kind in kinds if type(kind) is not Kind]
        return kinds[0] if len(kinds) == 1 else Either(kinds)
    if origin is dict:
        return Map()
    if getattr(origin or hint, "__name__", "") == "UntypedStripeObject":
        return Map()
    return Kind()


def schema(path: str) -> Record:
    """`"_refund_create_params.RefundCreateParams"` as a checker."""
    module, name = path.rsplit(".", 1)
    return record(getattr(importlib.import_module(f"stripe.params.{module}"), name))
