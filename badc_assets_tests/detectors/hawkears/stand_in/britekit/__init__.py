"""BriteKit, as far as HawkEars uses it here."""

from britekit.core.predictor import Predictor
from britekit.models.model_loader import load_from_checkpoint

__all__ = ["Predictor", "load_from_checkpoint"]
