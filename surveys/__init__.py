"""Surveys, target sets and the country table: data that is installed as ``blackbox_align.surveys.data``."""
