"""The fields that many events share: type and meaning. `docs/logging.md` lists them."""

from typing import Annotated

QueueId = Annotated[str, "the mail's id, as in its `250 2.0.0 queued as <id>` and its Received header"]
DeliveryId = Annotated[str, "the mail's recipients that share an account and a version of the mail"]
Account = Annotated[str, "the account's name in the configuration"]
User = Annotated[str, "the user's name in the configuration"]
Client = Annotated[str, "the client's IP address"]
Recipients = Annotated[list[str], "the addresses that this concerns"]
Code = Annotated[int, "the reply's code (RFC 5321 4.2); 0 where there was no reply"]
Reply = Annotated[str, "the reply as a whole: code, enhanced status code (RFC 3463) and text"]
Cause = Annotated[str, "what the reply means, as one of the short words below; they do not change"]
NextAttempt = Annotated[str | None, "when it is tried again; `null` if it is not tried again by itself"]
Uidl = Annotated[str, "the message's unique id on the provider's server"]
Size = Annotated[int, "in octets"]
Seconds = Annotated[float, "how long it took"]
Folder = Annotated[str, "the folder of this backup, or where the backups are kept"]
File = Annotated[str, "the file's name, or its path"]
Error = Annotated[str, "what went wrong"]
Traceback = Annotated[BaseException | None, "where in the program, if it is a fault of the relay itself"]
By = Annotated[str, "who did it: the name on this machine"]
