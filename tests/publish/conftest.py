"""Fixtures that several modules here share."""

from __future__ import annotations

from tests.publish.target_world import superuser, target_dsn, target_superuser_dsn, world

__all__ = ["superuser", "target_dsn", "target_superuser_dsn", "world"]
