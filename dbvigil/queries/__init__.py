"""Slow queries: where they are found, what is the same query, what is wrong with it, and what helps."""
