"""Alternating rounds and their statistics."""

import dataclasses
import os
import statistics


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median, least and greatest of some figures."""

    median: float
    minimum: float
    maximum: float

    @staticmethod
    def of(values):
        return Spread(statistics.median(values), min(values), max(values))

    def text(self, digits=1):
        median, least, greatest = (
            f"{value:,.{digits}f}" for value in (self.median, self.minimum, self.maximum)
        )
        return f"{median} [{least} .. {greatest}]"


@dataclasses.dataclass
class Comparison:
    """Samples of several sides, taken in turn: samples[side][round] is a dataclass of figures."""

    title: str
    samples: dict
    loads: list  # the machine's load average at each round

    def spread(self, side, figure):
        return Spread.of([getattr(sample, figure) for sample in self.samples[side]])

    def ratio(self, figure, side, other):
        """Figure of `side` / figure of `other`, paired round by round."""
        pairs = zip(self.samples[side], self.samples[other])
        return Spread.of([getattr(a, figure) / getattr(b, figure) for a, b in pairs])

    def sides(self):
        return list(self.samples)

    def as_json(self):
        return {
            "title": self.title,
            "load_average": self.loads,
            "samples": {
                side: [dataclasses.asdict(sample) for sample in samples]
                for side, samples in self.samples.items()
            },
        }


def alternate(title, sides, rounds, warm_up=None):
    """Runs every side once in each round: A B A B ... `sides`: name -> function giving a sample."""
    if warm_up:
        for name in sides:
            warm_up(name)
    samples = {name: [] for name in sides}
    loads = []
    for _ in range(rounds):
        loads.append(round(os.getloadavg()[0], 2))
        for name, measure in sides.items():
            samples[name].append(measure())
    return Comparison(title, samples, loads)
