"""Functions as people write them with NumPy, and what they are fitted to."""

from traced import curves, forms, residual_functions
from traced.model import MODELS, Model, noisy

__all__ = ["MODELS", "Model", "curves", "forms", "noisy", "residual_functions"]
