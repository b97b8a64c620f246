"""Names that handlers import from ts.service."""

from ts.utils.util import PredictionException

__all__ = ["PredictionException"]
