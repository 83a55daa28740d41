"""The SMTP session with clients, on aiosmtpd: commands, the path parser, the DATA reader, and what limits them."""
