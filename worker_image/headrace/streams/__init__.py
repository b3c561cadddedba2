"""What Headrace knows about Redis Streams: keys, connections, groups, claims, commits, backlog.

Entries and ids travel as the bytes Redis sent; nothing here decodes a payload or knows a handler.
Every script in Lua stands beside the module that calls it. This room imports no other room of the
worker, so the operator and the commands use it as the worker does.
"""
