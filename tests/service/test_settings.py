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


@pytest.mark.parametrize("mark", ["", '"', "'"])
def test_variables_mean_the_same_in_quotation_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mark: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    values = {"PORT": "9000", "DATA_DIR": "~/latcast", "REQUIRE_KEYS": "true", "ALLOWED_HOSTS": "a.example,b.example",
              "DATABASE_URL": "postgresql://user:word@host/name", "LOG_LEVEL": "error"}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"LATCAST_{name}", f"{mark}{value}{mark}")
    settings = Settings()
    assert (settings.port, settings.data_dir, settings.require_keys) == (9000, tmp_path / "latcast", True)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert (settings.url, settings.log_level) == ("postgresql://user:word@host/name", "error")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"LATCAST_{name.upper()}", "")
    settings = Settings()
    assert settings == Settings.model_construct(
        **{name: field.default for name, field in Settings.model_fields.items()}
    )
    assert settings.model_fields_set == set()
