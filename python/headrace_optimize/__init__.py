"""`headrace optimize`: measures what a model gains from each known optimisation, by serving it (docs/optimize.md)."""
