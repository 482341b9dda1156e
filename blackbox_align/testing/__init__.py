"""Test classes that ship with the package, for plug-ins; they need pytest."""
