"""The relationship of an owner to the rows that are deleted together with it."""

from scaffold.editing import Edits
from scaffold.feature import Feature
from scaffold.file_changes import read
from scaffold.reference import Reference
from scaffold.rendering import finish_edit


def edit_owners(feature: Feature) -> dict[str, str]:
    """Return, by path, the models.py files of the owners, each with a new relationship.

    A soft delete cascades along relationships, so the owner needs one to the deleted rows.
    """
    files: dict[str, str] = {}
    for reference in feature.to_one:
        if reference.is_deleted_with_target and reference.target:
            path = f"src/{reference.target.module.replace('.', '/')}.py"
            source = _add_relationship(path, files.get(path) or read(path), reference, feature)
            files[path] = finish_edit(path, source)
    return files


def _add_relationship(path: str, source: str, reference: Reference, feature: Feature) -> str:
    edits = Edits(path, source)
    model = edits.get_class(reference.target_cls)
    edits.append_field(
        model,
        feature.plural,
        f'    {feature.plural}: Mapped[list["{feature.cls}"]] = relationship(\n'
        f'        back_populates="{reference.name}", cascade="all, delete-orphan", '
        "passive_deletes=True\n    )",
    )
    edits.add_type_checking_import(
        f"from app.features.{feature.plural}.models import {feature.cls}",
    )
    return edits.result()
