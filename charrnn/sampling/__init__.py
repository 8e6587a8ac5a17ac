"""Lets a language model write, one character after another."""

from charrnn.sampling.filters import Filters, draw, probabilities
from charrnn.sampling.generating import Generator, generate
from charrnn.sampling.request import Options, Request, RequestError, check
from charrnn.sampling.samples import Sample, sample, sample_many, write, written
from charrnn.sampling.writing import Writing

__all__ = [
    "Filters",
    "Generator",
    "Options",
    "Request",
    "RequestError",
    "Sample",
    "Writing",
    "check",
    "draw",
    "generate",
    "probabilities",
    "sample",
    "sample_many",
    "write",
    "written",
]
