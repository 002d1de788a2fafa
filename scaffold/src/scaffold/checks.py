"""Checks of a feature against the service: names, references and indexes."""

from collections import Counter

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.feature import Feature
from scaffold.names import check_model_name, check_plural

# PostgreSQL truncates longer names of constraints and indexes.
_MAX_NAME_LENGTH = 63


def check_feature(feature: Feature) -> None:
    """Raise CommandFailed if the service cannot have this feature."""
    check_model_name(feature.name)
    check_plural(feature.plural, feature.name, is_explicit=feature.options.plural is not None)
    if not feature.fields:
        raise CommandFailed(
            "A feature needs at least one field: write NAME:TYPE, such as title:str."
        )
    if any(each.existing is not None for each in feature.fields):
        raise CommandFailed("`existing=` is for a field that `scaffold field` adds.")
    _check_names(feature)
    check_references(feature)
    _check_search(feature)
    check_indexes(feature)


def check_indexes(feature: Feature) -> None:
    """Raise CommandFailed if the name of an index would be too long."""
    for table, column in _indexed_columns(feature):
        if len(f"ix_{table}_{column}_created_at_id") > _MAX_NAME_LENGTH:
            raise CommandFailed(
                f"The names {table} and {column} are too long together for the name of an index."
            )


def _check_names(feature: Feature) -> None:
    names = [each.name for each in feature.fields] + [each.key for each in feature.references]
    for name, count in Counter(names).items():
        if count > 1:
            raise CommandFailed(f"The name `{name}` is used by two fields.")
    tables = [feature.plural, *(each.association_table for each in feature.to_many)]
    tables += [each.type_name for each in feature.columns if each.field.kind == "enum"]
    for name, count in Counter([*tables, *service.table_names()]).items():
        if count > 1:
            raise CommandFailed(f"There is a table or type `{name}` already: choose another name.")
    classes = [feature.cls, *(each.association_class for each in feature.to_many)]
    for name in sorted(service.class_names() & set(classes)):
        raise CommandFailed(f"There is a model {name} already: choose another name.")
    if feature.path in service.paths():
        raise CommandFailed(
            f"There are endpoints below /{feature.path} already: choose another name."
        )
    for folder in ("features", "example", "kit"):
        package = service.root() / "src" / "app" / folder / feature.plural
        if any(package.glob("**/*.py")):
            raise CommandFailed(
                f"{package.relative_to(service.root())} exists: choose another name."
            )
    test = service.root() / "tests" / "features" / f"test_{feature.plural}.py"
    if test.exists():
        raise CommandFailed(f"{test.relative_to(service.root())} exists: choose another name.")


def check_references(feature: Feature) -> None:
    """Raise CommandFailed if the model cannot have one of its references."""
    for each in feature.references:
        spec = f"`{each.name}:{each.field.kind}`"
        if each.target is None and (each.is_many or not each.field.optional):
            raise CommandFailed(
                f"{spec}: a reference to the model itself is one row, and optional."
            )
        if each.is_many and each.target_key == f"{feature.name}_id":
            raise CommandFailed(
                f"{spec}: the association would have two columns {each.target_key}."
            )
        if feature.existing_model and each.target and feature.plural in each.target.depends_on:
            raise CommandFailed(
                f"{spec}: {each.target_cls} refers to {feature.cls}, directly or through others: "
                "scaffold writes no circular references."
            )
        if each.is_deleted_with_target and not feature.soft_deletes:
            raise CommandFailed(
                f"{spec}: {each.target_cls} is soft-deleted, so a cascade cannot delete rows "
                "permanently: leave out --hard-delete, or use restrict."
            )
        is_feature = each.target and each.target.module.startswith("app.features.")
        if each.is_deleted_with_target and (each.needs_foreign_keys or not is_feature):
            raise CommandFailed(
                f"{spec}: cascade adds a relationship to {each.target_cls}: it must be a model in "
                "src/app/features, and the only reference to it."
            )


def _check_search(feature: Feature) -> None:
    texts = [each.name for each in feature.columns if each.is_text]
    for name in feature.options.search:
        if name not in texts:
            raise CommandFailed(f"--search {name}: only fields of type str and text are searched.")


def _indexed_columns(feature: Feature) -> list[tuple[str, str]]:
    names = [each.name for each in feature.columns] + [each.key for each in feature.to_one]
    return [(feature.plural, name) for name in names] + [
        (each.association_table, each.target_key) for each in feature.to_many
    ]
