"""Swift v1: accounts, containers with quotas and access lists, objects, bulk deletion."""
