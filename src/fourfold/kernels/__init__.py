"""What all rooms with Numba kernels share: compiling them, and running them on several threads."""

from fourfold.kernels.compile import kernel_compiler
from fourfold.kernels.parallel import run_parallel

__all__ = ["kernel_compiler", "run_parallel"]
