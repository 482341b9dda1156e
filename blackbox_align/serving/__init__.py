"""The server: an engine and a library of experts behind OpenAI's API, and a page that asks them.

``bbalign serve`` runs it; fastapi and uvicorn come with the extra ``serve``, and are imported by
:func:`.server.serve` alone. Many requests with different experts are written side by side, as the engine's
running batch takes them; an expert that is added to the library is served without a restart.
"""

from .limits import Limits

__all__ = ["Limits"]
