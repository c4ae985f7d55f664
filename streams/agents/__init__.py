"""The Faust agents: thin, one function a topic's way."""
