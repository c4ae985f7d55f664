"""Faust and aiokafka, subclassed: agents get lists of records, and a worker starts and stops promptly.

Knows no checkpoint and no ticket. Each workaround names the upstream file and version.
"""
