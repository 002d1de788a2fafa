"""The example domain: users with posts, and a catalog with orders. Learn from it, then delete it.

Relationships name their target class as a string, so all models must be imported together.
"""

from app.example.catalog import models as catalog_models
from app.example.orders import models as order_models
from app.example.posts import models as post_models
from app.example.tags import models as tag_models
from app.example.users import models as user_models

__all__ = ["catalog_models", "order_models", "post_models", "tag_models", "user_models"]
