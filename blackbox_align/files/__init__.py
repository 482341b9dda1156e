"""Files: written whole or not at all, and read with a sentence where that fails."""
