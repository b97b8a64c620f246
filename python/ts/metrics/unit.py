"""Units as handlers write them, and their full names."""

_NAMES = {
    "ms": "Milliseconds",
    "s": "Seconds",
    "percent": "Percent",
    "count": "Count",
    "MB": "Megabytes",
    "GB": "Gigabytes",
    "kB": "Kilobytes",
    "B": "Bytes",
    "": "unit",
}


class Units:
    def __init__(self):
        self.units = dict(_NAMES)


def unit_name(unit):
    """The full name; a unit that is not known stays as it is."""
    return _NAMES.get(unit, unit)
