# A customer is a user, and a user names their posts: whoever imports one needs both.
from app.example.posts import models as models
