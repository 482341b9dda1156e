"""Borders of countries; see ``experiments/world_map/make.py``."""
