"""What kind of statement a statement is."""
