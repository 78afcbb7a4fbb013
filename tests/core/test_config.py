"""Production starts with real settings only, and sample.env knows every setting there is."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import config
from tests.conftest import ROOT

SAFE = {
    "ACHTERBAN_ENV": "production", "BASE_URL": "https://backers.example", "SECRET_KEY": "k" * 40,
    "SECURITY_PASSWORD_SALT": "s" * 40, "STRIPE_SECRET_KEY": "sk_live_1234", "STRIPE_WEBHOOK_SECRET": "whsec_1234",
    "SMTP_URL": "smtps://mail.example", "DATABASE_URL": "postgresql://db.example/achterban"}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in SAFE.items() if key != name}


def test_production_starts_when_all_is_set() -> None:
    loaded = config.load(SAFE)
    assert loaded["STRIPE_LIVE"] and loaded["STRIPE_API_BASE"] == "" and loaded["STRIPE_RATE"] == 20
    assert loaded["SESSION_COOKIE_SECURE"] and loaded["SESSION_COOKIE_NAME"] == "__Host-session"
    assert loaded["TRUSTED_HOSTS"] == ["backers.example"]


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECURITY_PASSWORD_SALT", "BASE_URL", "STRIPE_SECRET_KEY",
                                  "STRIPE_WEBHOOK_SECRET", "SMTP_URL", "DATABASE_URL"])
def test_production_refuses_to_start_without(name: str) -> None:
    with pytest.raises(config.Refused) as refused:
        config.load(without(name))
    assert refused.value.code == 2 and refused.value.sentence.startswith(name)
    assert "\n" not in refused.value.sentence


@pytest.mark.parametrize(("wrong", "word"), [
    ({"SECRET_KEY": "change-me"}, "SECRET_KEY"),
    ({"SECRET_KEY": "short"}, "SECRET_KEY"),
    ({"SECURITY_PASSWORD_SALT": "s" * 31}, "SECURITY_PASSWORD_SALT"),
    ({"BASE_URL": "http://backers.example"}, "https://"),
    ({"STRIPE_SECRET_KEY": config.SANDBOX_KEY}, "STRIPE_SECRET_KEY"),
    ({"STRIPE_WEBHOOK_SECRET": config.SANDBOX_SECRET}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"whsec_1,{config.SANDBOX_SECRET}"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": ","}, "STRIPE_WEBHOOK_SECRET"),
    # S-15: live and test never meet, and a live key goes to Stripe alone
    ({"STRIPE_API_BASE": "https://api.stripe.com.example"}, "live Stripe key"),
    ({"STRIPE_SECRET_KEY": "sk_test_1234"}, "test key"),
    ({"STRIPE_SECRET_KEY": "rk_test_1234"}, "test key"),
    ({"STRIPE_API_BASE": "http://127.0.0.1:12111"}, "live Stripe key"),
    ({"STRIPE_SECRET_KEY": "rk_live_1234", "STRIPE_API_BASE": "https://stripe.example"}, "live Stripe key"),
])
def test_production_refuses_what_is_weak_or_mixed(wrong: dict[str, str], word: str) -> None:
    with pytest.raises(config.Refused) as refused:
        config.load(SAFE | wrong)
    assert refused.value.code == 2 and word in refused.value.sentence


@pytest.mark.parametrize(("wrong", "word"), [
    ({"ACHTERBAN_ENV": "prod"}, "ACHTERBAN_ENV"), ({"PORT": "http"}, "PORT"), ({"FIX_DAYS": "2"}, "FIX_DAYS"),
    ({"FIX_DAYS": "15"}, "FIX_DAYS"), ({"HOLD_MINUTES": "31"}, "HOLD_MINUTES"), ({"MAX_DAYS": "1.5"}, "MAX_DAYS")])
def test_a_setting_that_cannot_be_is_refused_anywhere(wrong: dict[str, str], word: str, tmp_path: Path) -> None:
    with pytest.raises(config.Refused) as refused:
        config.load({"INSTANCE": str(tmp_path)} | wrong)
    assert word in refused.value.sentence


@pytest.mark.parametrize("days", ["3", "14"])
def test_three_and_fourteen_days_to_mend_a_charge_are_allowed(days: str, tmp_path: Path) -> None:
    assert config.load({"INSTANCE": str(tmp_path), "FIX_DAYS": days})["FIX_DAYS"] == int(days)


def test_the_refusal_is_one_line_and_exit_code_2() -> None:
    done = subprocess.run([sys.executable, "-m", "flask", "--app", "app", "jobs", "work"], cwd=ROOT, text=True,
                          capture_output=True, env={"PATH": "/usr/bin", "ACHTERBAN_ENV": "production"}, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.strip().startswith("achterban: SECRET_KEY must be set") and done.stderr.count("\n") == 1


def test_the_demo_does_not_start_in_production() -> None:
    done = subprocess.run([sys.executable, "-m", "demo.run"], cwd=ROOT, text=True, capture_output=True,
                          env={"PATH": "/usr/bin", **SAFE}, timeout=60)
    assert done.returncode == 2 and "does not run in production" in done.stderr


def test_development_makes_up_its_keys_once_and_shows_them_to_nobody_else(tmp_path: Path) -> None:
    first, second = config.load({"INSTANCE": str(tmp_path)}), config.load({"INSTANCE": str(tmp_path)})
    assert len(first["SECRET_KEY"]) >= 32 and first["SECRET_KEY"] == second["SECRET_KEY"]
    assert (tmp_path / "secret_key.txt").stat().st_mode & 0o077 == 0


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("f" * 40 + "\n")
    assert config.load(without("SECRET_KEY") | {"SECRET_KEY_FILE": str(tmp_path / "key")})["SECRET_KEY"] == "f" * 40


def settings_read() -> set[str]:
    """The names that config.py asks the environment for: the first argument of `get(…)` and `number(…)`."""
    return {call.args[0].value for call in ast.walk(ast.parse((ROOT / "config.py").read_text()))
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("get", "number")
            and call.args and isinstance(call.args[0], ast.Constant)}


SAMPLE = re.findall(r'^# (.+)\n([A-Z][A-Z_0-9]*)="?(.*?)"?$', (ROOT / "sample.env").read_text(), re.M)


def test_sample_env_names_every_setting_once_and_no_other_each_under_a_comment() -> None:
    lines = re.findall(r"^([A-Z_0-9]+)=", (ROOT / "sample.env").read_text(), re.M)
    assert lines == [name for _comment, name, _value in SAMPLE] and len(lines) == len(set(lines))
    assert set(lines) == settings_read()


def test_sample_env_tells_the_true_defaults(tmp_path: Path) -> None:
    said = {name: value for _comment, name, value in SAMPLE}
    given = {name: value for name, value in said.items() if value and name != "INSTANCE"}
    real = {"INSTANCE": str(tmp_path), "STRIPE_SECRET_KEY": "sk_test_1234"}  # with a key the calls are paced
    assert config.load(real) == config.load(given | real)


def test_sample_env_says_what_production_requires() -> None:
    required = {name for comment, name, _value in SAMPLE if "REQUIRED" in comment}
    assert required == set(SAFE) - {"ACHTERBAN_ENV"}


@pytest.mark.parametrize("mode", ["development", "test"])
def test_a_live_key_goes_to_no_sandbox_in_any_mode(tmp_path: Path, mode: str) -> None:
    """S-15: somebody tries the sandbox with the site's real settings."""
    asked = {"ACHTERBAN_ENV": mode, "INSTANCE": str(tmp_path), "STRIPE_SECRET_KEY": "sk_live_1234",
             "STRIPE_API_BASE": "http://127.0.0.1:12111"}
    with pytest.raises(config.Refused) as refused:
        config.load(asked)
    assert refused.value.code == 2 and "live Stripe key" in refused.value.sentence
