"""Faust and aiokafka, subclassed: agents get batches of records, and a worker starts and stops promptly.

Knows no checkpoint, no ticket and no settings. Each workaround names the upstream file and version.
"""
