"""Settings of this service: those of the kit, and your own."""

from app.kit.settings import KitSettings


class Settings(KitSettings):
    """Add a setting as a field; it reads the environment variable of the same name."""
