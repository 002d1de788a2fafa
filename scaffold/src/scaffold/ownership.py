"""Relationships to the rows that are deleted together with the row that they refer to."""

from scaffold.editing import Edits
from scaffold.feature import Feature
from scaffold.reference import Reference
from scaffold.rendering import finish_edit
from scaffold.writing import read


def owners(feature: Feature) -> dict[str, str]:
    """Return the edited models of the features that own rows of this one, by path.

    Deletion follows relationships: the owner needs one to the rows that go with it.
    """
    files: dict[str, str] = {}
    for reference in feature.refs:
        if reference.is_owned and reference.target:
            path = f"src/{reference.target.module.replace('.', '/')}.py"
            source = _with_rows(path, files.get(path) or read(path), reference, feature)
            files[path] = finish_edit(path, source)
    return files


def _with_rows(path: str, source: str, reference: Reference, feature: Feature) -> str:
    edits = Edits(path, source)
    model = edits.class_(reference.target_cls)
    edits.append_field(
        model,
        feature.plural,
        f'    {feature.plural}: Mapped[list["{feature.cls}"]] = relationship(\n'
        f'        back_populates="{reference.name}", cascade="all, delete-orphan", '
        "passive_deletes=True\n    )",
    )
    edits.import_for_types(
        f"from app.features.{feature.plural}.models import {feature.cls}",
    )
    return edits.result()
