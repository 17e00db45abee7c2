"""Stand-ins for the services that voices, ears and brains come from: real servers on real ports, faithful to the wire, and able to fail in every way.

A stand-in answers well unless it is told otherwise: `then(path, step, …)` is for the next requests of a path, `always(path, step)` for all from
now on. The steps are in faults.py. What came is in `requests`.
"""
from . import faults
from .certificates import certificate_for
from .ollama import Ollama
from .openai import OpenAI, Reply
from .proxy import Proxy
from .sovits import SoVits

__all__ = ["Ollama", "OpenAI", "Proxy", "Reply", "SoVits", "certificate_for", "faults"]
