"""What the command shows: pure functions from figures to text and Rich renderables.

text.py       glyphs, sparklines, bars, and text from servers made fit to print
overview.py   the values that every view of the status reads
rows.py       the status as a table, one row a database
cards.py      the status as cards, one a database
live.py       one frame of the live view: header, cards or rows, footer
metrics.py    all figures of a database, with their range over some hours
alerts.py     active and past alerts, outcomes of test messages
config.py     settings, thresholds and channels
plain.py      the same for a pipe: aligned text, nothing else
screen.py     the terminal itself: alternate screen, keys, resizing, signals
logs.py       log lines kept off the screen while it is drawn on
"""
