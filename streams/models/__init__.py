"""The contents of the topics: events in (CloudEvents), rows and warnings out."""
