"""The embedded engines: PostgreSQL and SeaweedFS from wheels, used unless others are configured.

Import this only where it is used: it needs the extra ``safelight[embedded]``.

============== =================================================================================
path           content
============== =================================================================================
lock           locked while a Safelight uses the directory
secrets/       passwords, keys and certificates, readable by their owner only
ports.json     the ports of the object store
postgres.json  where PostgreSQL's files are, and the user it runs as
postgres/      PostgreSQL's files, if its user can reach them here
seaweedfs/     the objects
logs/          the output of both
============== =================================================================================
"""

from safelight.engines.supervisor import EmbeddedEngines

__all__ = ["EmbeddedEngines"]
