"""Decisions as text and documents: `text.py` for people, `formats.py` for lists of decisions, one file per document."""
