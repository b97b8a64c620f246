"""Where Headrace answers otherwise than TorchServe 0.12, and why."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Difference:
    """What differs of one answer: the parts that are replaced, and those that are not there. `message` replaces that of
    TorchServe's error document."""

    why: str
    changes: dict = dataclasses.field(default_factory=dict)
    message: str = None
    without: tuple = ()

    def answer(self, theirs):
        """The answer that is expected."""
        ours = {key: value for key, value in {**theirs, **self.changes}.items() if key not in self.without}
        if self.message is not None:
            ours["body"] = {"json": {**ours["body"]["json"], "message": self.message}}
        return ours


EXPECTED = {}
