"""Cinder v3: volumes, attachments, snapshots, backups, types, quotas and pools."""
