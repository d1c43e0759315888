"""Measurements of the whole system: `make bench`."""

import services  # noqa: F401 - before gRPC, whose behaviour at forks it sets
