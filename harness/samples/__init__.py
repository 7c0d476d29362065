"""The samples: modules by name, assembled or compiled when asked for."""

from harness.samples.compilers import NoCompiler
from harness.samples.folder import Samples, UnknownSample, read

__all__ = ["NoCompiler", "Samples", "UnknownSample", "read"]
