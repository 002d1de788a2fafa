"""How views compile and run their statements. Only the kit uses these modules."""
