"""What a run is told, as far as recipes and measurement need it."""

import dataclasses
import pathlib
from typing import Optional

from headrace_optimize.accuracy import Bound


@dataclasses.dataclass
class Settings:
    """Times are seconds."""

    work: pathlib.Path
    bound: Bound
    seconds: float = 2.0  # of each load
    recipe_seconds_max: float = 900.0
    batches: Optional[list[int]] = None  # to try; None: 1, 4, 16 ... up to max_batch_size
    calibration_samples: int = 300
    prune_amount: float = 0.3
    batch_size_max: Optional[int] = None  # of a bare file
    seed: int = 1
