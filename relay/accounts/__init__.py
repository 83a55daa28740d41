"""The accounts at the providers: what each of them logs in with."""
