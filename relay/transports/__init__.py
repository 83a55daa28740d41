"""What carries a delivery to its destination: one module for each way."""
