"""Derived names, and checks of the names that a user chooses."""

import builtins
import keyword
import re

from pydantic import BaseModel
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from app.kit.cli.errors import CommandFailed
from app.kit.db.deletion import Model
from scaffold.imports import KNOWN

MAX_LENGTH = 30
# An `s` at the end of a plural; bus, address, analysis, canvas and series are singular.
_PLURAL = re.compile(r"(?<![aius])s$(?<!\bnews)(?<!\blens)(?<!series)")
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# `type` is a soft keyword since Python 3.12, and a common name of a field.
_KEYWORDS = {*keyword.kwlist, *keyword.softkwlist} - {"type"}
# Reserved in standard SQL or by clients, though PostgreSQL accepts them.
_MORE_SQL_KEYWORDS = ("by", "delete", "index", "insert", "row", "rows", "set", "update", "values")
_SQL_KEYWORDS = {*RESERVED_WORDS, *_MORE_SQL_KEYWORDS}
# Names that the generated code uses itself.
_COLUMN_NAMES = {"id", "created_at", "updated_at", "version"}
_QUERY_PARAMETERS = {"cursor", "limit", "offset", "q", "query", "sort"}
# In a class body, a field with the name of a type would hide it from later annotations.
_TYPE_NAMES = {
    *("bool", "bytes", "date", "datetime", "dict", "float", "frozenset", "int", "list", "object"),
    *("property", "set", "str", "tuple", "uuid"),
}
_CODE_NAMES = {
    *("app", "changes", "client", "db", "delete", "etag", "false", "key", "keys", "kit"),
    *("load_options", "mapped_column", "matching", "new", "number", "optional_field", "or_"),
    *("order_by", "page", "problem_responses", "relationship", "repository", "response", "router"),
    *("self", "service", "session", "statement", "status", "true", "unique_when_not_deleted"),
    *("utc_now", "value_enum", "values"),
}
_ALLOWED_AS_FIELDS = {"number", "status", "key", "keys", "page", "response", "statement", "values"}


def check_field_name(name: str) -> None:
    """Raise CommandFailed if a field cannot have this name."""
    _check_syntax(name, "field")
    if name in _COLUMN_NAMES:
        raise CommandFailed(
            f"`{name}` is a column of every model or of an option: use another name."
        )
    if name in _SQL_KEYWORDS - _ALLOWED_AS_FIELDS:
        raise CommandFailed(f"`{name}` is a keyword of SQL: use another name for the field.")
    is_attribute = hasattr(BaseModel, name) or hasattr(Model, name) or name.startswith("model_")
    reserved = _QUERY_PARAMETERS | _TYPE_NAMES | (_CODE_NAMES - _ALLOWED_AS_FIELDS)
    if is_attribute or name in reserved:
        raise CommandFailed(
            f"`{name}` has a meaning in Python, Pydantic or the kit: use another name."
        )


def check_model_name(name: str) -> None:
    """Raise CommandFailed if a model cannot have this name."""
    _check_syntax(name, "model")
    is_taken = name in _CODE_NAMES or class_name(name) in KNOWN or hasattr(builtins, name)
    if name in _SQL_KEYWORDS or is_taken:
        raise CommandFailed(f"`{name}` has a meaning in SQL, Python or the kit: use another name.")


def check_plural(plural: str, singular: str, *, is_explicit: bool) -> None:
    """Raise CommandFailed if a table or a package cannot have this name."""
    _check_syntax(plural, "table")
    if not is_explicit and _PLURAL.search(singular):
        raise CommandFailed(
            f"`{singular}` is a plural: write `{singularize(singular)}`, or pass --plural NAME if "
            "it is one row."
        )
    if plural == singular:
        raise CommandFailed(f"The plural of `{singular}` must differ from it: pass --plural NAME.")
    if plural in _SQL_KEYWORDS or plural in _CODE_NAMES:
        raise CommandFailed(f"`{plural}` has a meaning in SQL or the kit: pass --plural NAME.")


def _check_syntax(name: str, what: str) -> None:
    if name in _KEYWORDS:
        raise CommandFailed(f"`{name}` is a keyword of Python: use another name for the {what}.")
    if not _SNAKE_CASE.fullmatch(name):
        raise CommandFailed(
            f"`{name}` is not a valid {what} name: use lower_case words, such as due_on."
        )
    if len(name) > MAX_LENGTH:
        raise CommandFailed(f"`{name}` is too long: use at most {MAX_LENGTH} characters.")


def class_name(name: str) -> str:
    """Convert snake_case to a class name: invoice_line to InvoiceLine."""
    return "".join(word.capitalize() for word in name.split("_"))


def snake_case(name: str) -> str:
    """Convert a class name to snake_case: InvoiceLine to invoice_line."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def pluralize(name: str) -> str:
    """Return the regular English plural."""
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(s|x|z|ch|sh)$", name) else f"{name}s"


def singularize(name: str) -> str:
    """Return the singular of a regular English plural."""
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    if re.search(r"(ss|x|z|ch|sh)es$", name):
        return name[:-2]
    return name[:-1] if re.search(r"[^s]s$", name) else name


def words(name: str) -> str:
    """Return a name as words: "invoice line"."""
    return name.replace("_", " ")


def with_article(name: str) -> str:
    """Return words with the indefinite article: "an invoice line"."""
    return f"{'an' if name[0] in 'aeio' else 'a'} {words(name)}"
