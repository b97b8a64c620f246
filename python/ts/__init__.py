"""What models that were written for TorchServe import. The server behind it is Headrace; nothing here needs torch to
be imported."""

__version__ = "0.12.0"  # the release whose handler contract this package keeps
