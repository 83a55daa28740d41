"""The control socket in the storage folder, by which commands ask the running service.

`lines` is what both sides write, `client` what a command does, `server` what the service does. Only the user of the
storage folder and root can use the socket: it grants what the database's own file grants.
"""
