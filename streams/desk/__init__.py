"""The pure core: all decisions. No I/O, no clock, no Faust."""
