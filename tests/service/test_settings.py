"""Settings come from the environment, and each is documented."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_every_setting_is_documented_with_its_default_and_no_other_is() -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`|empty) \|", DOCUMENT.read_text(), flags=re.M))
    assert set(documented) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", (), None) else field.default
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        assert documented[name] == (shown.lower() if isinstance(default, bool) else shown), name
        assert field.description


def test_environment_is_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCAST_PORT", "9000")
    monkeypatch.setenv("LATCAST_DATA_DIR", "/data")
    monkeypatch.setenv("LATCAST_CORS_ORIGINS", "https://a.example,https://b.example")
    settings = Settings()
    assert settings.port == 9000
    assert settings.url == "sqlite:////data/latcast.db"
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert Settings(port=1, database_url="postgresql://x").url == "postgresql://x"


def test_impossible_settings_are_refused() -> None:
    for wrong in ({"port": 70_000}, {"lease_seconds": 0}, {"max_attempts": 0}, {"log_level": "loud"}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
