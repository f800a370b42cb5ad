"""How fast landing is, beside tools that do less or the same: `make bench`."""
