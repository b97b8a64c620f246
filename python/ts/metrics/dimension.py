"""A label of a metric."""


class Dimension:
    def __init__(self, name, value):
        self.name = name
        self.value = value

    def __str__(self):
        return f"{self.name}:{self.value}"

    def to_dict(self):
        return {"Name": self.name, "Value": self.value}

    def __eq__(self, other):
        return isinstance(other, Dimension) and (self.name, self.value) == (other.name, other.value)

    def __hash__(self):
        return hash((self.name, self.value))
