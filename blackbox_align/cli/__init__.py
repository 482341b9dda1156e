"""The command ``bbalign``: one file per command group; parse, call, print, and no logic."""
