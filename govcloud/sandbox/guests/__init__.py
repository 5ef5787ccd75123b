"""Guests: what runs behind an ACTIVE server, an isolated copy-on-write system reached by SSH."""
