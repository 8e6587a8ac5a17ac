"""Lets a language model write, one character after another."""

from charrnn.sampling.filters import Filters, draw, probabilities
from charrnn.sampling.generating import Generator, generate
from charrnn.sampling.request import Request, RequestError
from charrnn.sampling.writing import Writing, sample, sample_many

__all__ = [
    "Filters",
    "Generator",
    "Request",
    "RequestError",
    "Writing",
    "draw",
    "generate",
    "probabilities",
    "sample",
    "sample_many",
]
