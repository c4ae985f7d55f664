"""The pure core: everything that decides. No I/O, no clock, no Faust."""
