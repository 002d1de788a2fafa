"""Random models for the command `scaffold`, the same for the same seed."""

from dataclasses import dataclass, field
from random import Random

NAMES = [
    *("account", "album", "animal", "artist", "asset", "author", "battery", "bench", "book"),
    *("branch", "bus", "campaign", "city", "company", "contract", "country", "course", "device"),
    *("diary", "dish", "employee", "factory", "film", "garden", "hospital", "invoice_line"),
    *("journey", "key_ring", "lesson", "library", "machine", "meeting", "museum", "opening_hour"),
    *("parcel", "price_list", "quiz_answer", "recipe", "shelf_box", "signal_tower", "survey"),
]
# Names of fields. Some are also prefixes in the errors of a response, such as `body`.
WORDS = [
    *("body", "header", "path"),
    *("amount", "bore", "brand", "caption", "code", "colour", "comment", "depth", "due", "ends"),
    *("fee", "grade", "height", "kind", "level", "mass", "motto", "note", "number", "phase"),
    *("quota", "rank", "rating", "size", "started", "state", "status", "title", "volume", "width"),
]
SCALARS = ["str", "text", "int", "bigint", "decimal", "bool", "date", "datetime", "uuid"]
DEFAULTS = {
    "str": "plain",
    "text": "none yet",
    "int": "-3",
    "bigint": "9000000000",
    "decimal": "2.5",
    "bool": "true",
    "date": "2026-02-28",
}


@dataclass
class Model:
    """The arguments of one call of `scaffold`."""

    name: str
    fields: list[str]
    options: list[str]
    added: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> list[str]:
        """The words after `scaffold`."""
        return [self.name, *self.fields, *self.options]


def random_models(seed: int, count: int) -> list[Model]:
    """Return models that refer to one another; at most as many as there are names."""
    random = Random(seed)  # noqa: S311 - no secret
    models: list[Model] = []
    for name in random.sample(NAMES, count):
        models.append(_model(random, name, [each.name for each in models]))
    return models


def _model(random: Random, name: str, others: list[str]) -> Model:
    words = random.sample(WORDS, random.randint(1, 7))
    fields = [f"{word}:{_kind(random)}" for word in words]
    texts = [spec.partition(":")[0] for spec in fields if _is_text(spec)]
    for number, other in enumerate(random.sample(others, min(len(others), random.randint(0, 3)))):
        target = _class_name(other)
        if random.random() < 0.3:
            fields.append(f"all_{other}s:many:{target}")
        else:
            fields.append(
                f"{random.choice(['main', 'other', 'old'])}_{number}:{_ref(random, target)}"
            )
    if random.random() < 0.2:
        fields.append("parent:ref:self:optional")
    random.shuffle(fields)
    options = [f"--page={random.choice(['offset', 'cursor'])}"]
    options += [f"--search={text}" for text in texts if random.random() < 0.5]
    options += ["--version"] if random.random() < 0.3 else []
    options += ["--read-only"] if random.random() < 0.15 else []
    if random.random() < 0.3:
        options.append("--hard-delete")
    added = [_added(random, word) for word in words[: random.randint(0, 2)]]
    # Only models that were written before this one: no circular references.
    if others and random.random() < 0.4:
        added.append(f"late:{_ref(random, _class_name(random.choice(others)), added=True)}")
    return Model(name, fields, options, added)


def _added(random: Random, word: str) -> str:
    kind = _kind(random, added=True)
    if random.random() < 0.3:
        kind = f"date:existing={DEFAULTS['date']}"
    return f"later_{word}:{kind}"


def _ref(random: Random, target: str, *, added: bool = False) -> str:
    spec = f"ref:{target}"
    if added:
        return spec + random.choice(["", ":unique", ":optional", ":restrict", ":optional:set_null"])
    if random.random() < 0.2:
        return f"{spec}:optional:set_null"
    return spec + random.choice(["", ":unique", ":optional", ":restrict"])


def _kind(random: Random, *, added: bool = False) -> str:
    kind = random.choice([*SCALARS, *SCALARS, "enum", "enum", "json", "array"])
    optional = ":optional" if random.random() < 0.3 or added else ""
    if kind == "array":
        return f"{random.choice(SCALARS)}[]{optional}"
    if kind == "enum":
        default = ":default=two_three" if random.random() < 0.4 else ""
        return f"enum:one,two_three,four{optional}{default}"
    size = {
        "str": ["", ":1", ":40", ":199", ":500"],
        "decimal": ["", ":2,2", ":5,0", ":20,10", ":4,1"],
    }
    length = random.choice(size.get(kind, [""]))
    index = random.choice(["", "", ":unique", ":indexed"]) if kind not in ("text", "json") else ""
    if kind == "bool" and index == ":unique":
        index = ""
    default = ""
    fits = length in ("", ":40", ":199", ":500", ":20,10", ":4,1")
    if kind in DEFAULTS and random.random() < 0.25 and index != ":unique" and fits:
        default = f":default={DEFAULTS[kind]}"
    return f"{kind}{length}{index}{optional}{default}"


def _is_text(spec: str) -> bool:
    return spec.split(":")[1] in ("str", "text")


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
