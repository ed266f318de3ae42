"""The figures of the report, a file for each kind. Colours of text and paper come from rcParams, so
that each can be drawn in a light and a dark style.
"""
