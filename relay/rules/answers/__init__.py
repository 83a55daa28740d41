"""What providers answer, and what that means: tables of rows, and the functions that find the row of an answer.

To teach the service an answer, add one row to the table that it belongs to: `provider_rows` for what one provider says
in its own way, `general_rows` for what the standards and many servers say, `connection_rows` for faults on the way to a
server, `sign_in_rows` for OAuth.
"""
