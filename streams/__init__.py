"""Deskwatch: event-driven stream processing for service desks. The way of the data starts in `streams.app`."""
