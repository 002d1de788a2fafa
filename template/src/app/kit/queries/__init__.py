"""Views: queries that return response schemas."""
