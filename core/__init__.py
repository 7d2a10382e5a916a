"""The platform's names for what `dbvigil` has. Nothing is defined here."""
