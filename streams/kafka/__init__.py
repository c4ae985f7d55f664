"""Faust and aiokafka, subclassed: agents get batches of records, and a worker starts and stops promptly.

Knows no ticket and no settings, and of checkpoints only the topics that hold them. Each workaround names the upstream
file and version.
"""
