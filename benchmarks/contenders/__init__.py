"""One application each: the same endpoints on the same tables."""
