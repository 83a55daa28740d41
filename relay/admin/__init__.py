"""The admin room: the questions and actions of people, answered with and without a running service.

Whoever asks, such as a command, makes a request, a value of `requests`, and reads answers, which are of the
few kinds there. Where a service runs, the request goes to it by the control socket; else the command opens the
database itself. Both call the same function.

To add a question or an action:

1. Write its request in `requests.py`. Fields are texts, numbers, enums, tuples and other such values; `wire` makes
   JSON of them and reads them back. `tests/admin/test_wire.py` says when `VERSION` is to be counted up.
2. Write the function: a generator that takes a `Room` and the request and yields answers, mostly `Told`: what programs
   read, as JSON, and the words for people; a large list page by page. It runs in a thread; between two `yield`s it may
   block, but no transaction may be open at a `yield`. To ask the person something it yields a `Question` and gets true
   or false. What it wants of the service itself is a method of `Service` in `room.py`, written twice: `Running` and,
   for a command alone, `relay/cli/alone.py`. Errors for people are `RelayError`; `MisuseError` is wrong usage.
3. Name both in the table `FUNCTIONS` in `desk.py`.
4. Whatever it changes, it logs: `room.service.record` takes the event; `room.by` is who asked.
5. The command (a file of `relay/cli/`, named in its `COMMANDS`) prints with `tell` what `ask` gives, both of
   `relay/cli/telling.py`, or `answer` of `desk.py` where it is to go by the file as it stands, in force or not.
   Test it with the fixture `both_ways` of `tests/cli/conftest.py`: with a service and without one.
"""
