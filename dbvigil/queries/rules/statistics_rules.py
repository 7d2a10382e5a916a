"""The rules that need figures, in the order in which they are shown."""

from dbvigil.queries.rules import statistics_figures

STATISTICS = statistics_figures.RULES
