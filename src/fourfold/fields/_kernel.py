"""Compile the kernels of this room."""

from pathlib import Path

from fourfold.kernels import kernel_compiler

kernel = kernel_compiler(Path(__file__).parent)
