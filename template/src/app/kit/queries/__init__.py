"""How rows are read for a response and written from a request."""
