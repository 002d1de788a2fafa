"""The measured applications: the same endpoints on the same tables."""
