"""What the PostgreSQL servers of this machine bring along."""

from pathlib import Path

from app.kit.local_postgres.binaries import SYSTEM


def with_extension(name: str) -> Path | None:
    """The programs of the newest PostgreSQL of the system that has this extension, if any has."""
    found = [
        bindir
        for pattern in SYSTEM
        for bindir in Path("/").glob(pattern)
        if any(
            (place / "extension" / f"{name}.control").is_file()
            for place in (
                bindir.parent / "share",
                bindir.parent / "share/postgresql",
                # As Debian has it.
                Path("/usr/share/postgresql") / bindir.parent.name,
            )
        )
    ]
    return max(found, key=lambda bindir: bindir.parent.name, default=None)


WITH_TRIGRAMS = with_extension("pg_trgm")
