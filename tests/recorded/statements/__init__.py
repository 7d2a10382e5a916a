"""Statements of programs that many people use: what advice must not cry wolf about."""
