"""Where mail is collected: one module for each protocol, and the interface that the collection uses."""
