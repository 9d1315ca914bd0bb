"""Decoding of untrusted photos in confined processes.

- `pool`: `Darkroom`, the server's pool of decoder processes.
- `calls`: its calls of decoders, in turn and within limits.
- `admission`: the queue in front of it, fair to owners, which raises Busy when full; `ticket`: a
  place in it.
- `decoders`: its processes, each for one owner.
- `template`: the server's end of the process that decoders are forked from.
- `process`: the server's end of one decoder process: call it, kill it.
- `descriptors`: what a decoder gets for a job: the photo, and memory for its renditions.
- `protocol`: the messages between the two, and the checks of a decoder's answers.
- `child`: the program of the template and its decoders, with the rights that a decoder drops in
  `child.confinement` and `child.seccomp`.

This file imports nothing, so that a decoder loads only what it needs. Import `Darkroom` from
`safelight.darkroom.pool`.
"""
