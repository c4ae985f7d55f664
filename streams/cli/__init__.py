"""The command line, one module a command; `streams.cli.main` puts them together."""
