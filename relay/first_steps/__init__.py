"""The first steps of an office: from answers to a configuration (`relay init`).

Everything here is pure but `machine`, which reads this machine's networks, and `filling`, which writes the file. Who
asks for the answers is `relay/cli/`.
"""
