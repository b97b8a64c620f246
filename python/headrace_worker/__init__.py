"""The program that runs Python models for the server: channels, shared memory, and the contracts that models are written to.

Pure Python for CPython 3.8 and later, without any package but numpy, and that for the "triton" contract only.
`docs/workers.md` describes the protocol and names every message.
"""
