"""The processes in which strangers' bytes are decoded.

- `pool`: `Darkroom`, what the server holds: admission, a slot for each job, Busy when full.
- `worker`: the server's end of one child: start it, ask it one thing at a time, kill it.
- `messages`: what the two ends say to each other, and how a child's word is checked.
- `child`: the program that a child runs, and `confinement`: what it gives up before it begins.

This file imports nothing, so that a child starts with no more than it needs: the server imports
`Darkroom` from `safelight.darkroom.pool`.
"""
