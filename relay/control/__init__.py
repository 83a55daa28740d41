"""The control socket in the storage folder, by which commands ask the running service.

`client` is what a command does, and the lines that both sides write; `server` is what the service does. Only the user
of the storage folder and root can use the socket: it grants what the database's own file grants.
"""
