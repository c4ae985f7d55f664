"""Partition states that survive a crash: checkpoints in a changelog topic, fencing, takeover.

Knows Kafka and the contract :mod:`streams.desk.partition_state`; knows no ticket.
"""
