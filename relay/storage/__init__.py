"""What must survive: the queue in the database, and the users' Maildirs."""
