"""The way to a node over SSH: find it, know it, log in, run one script, keep the connection.

`reader.SshReader` is the way in. Nothing here knows routes or screens: answers go to the parser of the script's output,
questions to whoever implements `prompts.Prompts`.
"""
