"""The command line, one module per command; `streams.cli.main` combines them."""
