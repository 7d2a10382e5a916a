"""Where the test app's tables are."""

from __future__ import annotations

from typing import Any


class OnlyShop:
    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:
        return db == "shop" if app_label == "shop_app" else None


class Broken:
    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:
        return bool(1 // (len(db) - len(db)))
