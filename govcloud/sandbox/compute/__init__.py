"""Nova 2.1 to 2.100: servers and their actions, volume attachments, key pairs, flavors, quotas, usage, hypervisors."""
