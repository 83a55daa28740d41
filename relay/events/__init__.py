"""Every event that is worth a line of the log, as a type: its fields, when it happens, and what to do about it.

Pure values: nothing here writes, waits or knows who reads. `relay.emitting.emit` hands an event to its readers.
"""
