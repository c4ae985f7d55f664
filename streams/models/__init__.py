"""What crosses a topic: events in (CloudEvents), rows and warnings out."""
