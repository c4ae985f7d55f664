"""A partition's state that survives any crash: checkpoints in a changelog topic, fencing, takeover.

Knows Kafka and the contract :mod:`streams.desk.partition_state`; knows no ticket.
"""
