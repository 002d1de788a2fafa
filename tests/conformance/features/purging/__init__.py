"""Models with foreign keys, but without relationships that own the rows."""
