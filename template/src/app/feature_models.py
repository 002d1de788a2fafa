"""Imports the models of all features together, because they refer to each other.

SQLAlchemy looks up the classes of all relationships at the first use of one, such as a load option.
"""

from importlib import import_module
from pathlib import Path

for _models in sorted(Path(__file__).parent.glob("features/*/models.py")):
    import_module(f"app.features.{_models.parent.name}.models")
