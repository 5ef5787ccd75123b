"""Keystone v3: tokens, catalogue, projects, users, roles and who has which role where."""
