"""The embedded engines: PostgreSQL and SeaweedFS from wheels, for those who configure nothing.

Import it only when it is used: it needs the extra ``safelight[embedded]``.

============== =================================================================================
lies in        what
============== =================================================================================
lock           held while a Safelight uses the directory
secrets/       passwords, keys and certificates, for their owner alone
ports.json     the ports of the object store
postgres.json  where PostgreSQL's files lie, and as whom it runs
postgres/      PostgreSQL's files, if its user can reach them here
seaweedfs/     the objects
logs/          what both print
============== =================================================================================
"""

from safelight.engines.embedded import EmbeddedEngines

__all__ = ["EmbeddedEngines"]
