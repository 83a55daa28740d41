"""What providers answer, and what that means: tables of rows, and the functions that find the row of an answer.

To teach the service an answer, add one row to the table that it belongs to. The first row that fits wins, in this
order (`reading.all_rows`): `token_rows`, what we say ourselves of a token that is missing; `connection_rows`, faults on
the way to a server; `microsoft_rows` and `provider_rows`, what one provider says in its own way; `general_rows`, what
the standards and many servers say. Of a sign-in that is refused (`sign_in`) `entra_login_rows` and `entra_app_rows`,
Microsoft's codes, win over `sign_in_rows`, the errors of the standards.
"""
