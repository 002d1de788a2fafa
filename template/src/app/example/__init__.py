"""The example domain: users with profiles, their posts, and tags. Learn from it, then remove it."""
