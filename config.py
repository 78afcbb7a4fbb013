"""Every setting, its default, one comment each. Production refuses development defaults (O-13, S-15).

Read from the environment once; NAME_FILE reads a secret from a file. `sample.env` lists what an operator sets.
"""

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

STRIPE_VERSION = "2026-10-28.endive"  # the API version we speak; equals the SDK's, the webhook's, the sandbox's
ROOT = Path(__file__).parent
SANDBOX_KEY = "sk_test_achterban_sandbox"
SANDBOX_SECRET = "whsec_achterban_sandbox"  # noqa: S105 -- the local sandbox's, refused in production


class Refused(SystemExit):
    """A setting that must not be: one line, exit code 2."""

    def __init__(self, sentence: str):
        super().__init__(2)
        self.sentence = sentence


def load(env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole configuration from the environment; Refused when production would run unsafely."""
    env = os.environ if env is None else env

    def get(name: str, default: str = "") -> str:
        if path := env.get(f"{name}_FILE"):
            return Path(path).read_text().strip()
        return env.get(name) or default

    def number(name: str, default: int) -> int:
        try:
            return int(get(name, str(default)))
        except ValueError:
            raise Refused(f"{name} must be a whole number, not “{get(name)}”.") from None

    mode = get("ACHTERBAN_ENV", "development")  # development | test | production
    if mode not in ("development", "test", "production"):
        raise Refused(f"ACHTERBAN_ENV must be development, test or production, not “{mode}”.")
    instance = Path(get("INSTANCE", str(ROOT / "instance")))  # what this installation keeps: data, media, keys
    port = number("PORT", 5000)  # where the site listens
    sandbox_port = number("SANDBOX_PORT", 12111)  # where the local Stripe listens
    base_url = get("BASE_URL", f"http://localhost:{port}").rstrip("/")  # how the world reaches us; in every mail
    stripe_key = get("STRIPE_SECRET_KEY", SANDBOX_KEY)  # without one, the local sandbox
    real_stripe = stripe_key != SANDBOX_KEY
    database = get("DATABASE_URL")  # without one, the embedded PostgreSQL under INSTANCE

    config: dict[str, Any] = {
        "ENV_NAME": mode,
        "TESTING": mode == "test",
        "INSTANCE": instance,
        "PORT": port,
        "BASE_URL": base_url,
        "TRUSTED_HOSTS": get("TRUSTED_HOSTS").split(",") if get("TRUSTED_HOSTS") else _hosts(base_url, mode),
        "PROXY_HOPS": number("PROXY_HOPS", 0),  # how many proxies in front may be believed (W-10)
        "OPERATOR_NAME": get("OPERATOR_NAME", "Achterban"),  # who runs this site; stands in the footer and mails
        "OPERATOR_ADDRESS": get("OPERATOR_ADDRESS"),  # a postal address for the foot of mails
        "SECRET_KEY": get("SECRET_KEY"),
        "SECRET_KEY_FALLBACKS": [key for key in get("SECRET_KEY_FALLBACKS").split(",") if key],  # rotation
        "SECURITY_PASSWORD_SALT": get("SECURITY_PASSWORD_SALT"),
        # database
        "DATABASE_URL": database,
        "DB_ROLE": get("DB_ROLE", "" if database else "achterban_app"),  # the role of least rights to work under
        "DB_POOL_SIZE": number("DB_POOL_SIZE", 8),  # connections per process; 0 opens one per use
        "DB_LOCK_TIMEOUT_MS": number("DB_LOCK_TIMEOUT_MS", 3_000),
        "DB_IDLE_TIMEOUT_MS": number("DB_IDLE_TIMEOUT_MS", 10_000),
        "DB_STATEMENT_TIMEOUT_MS": number("DB_STATEMENT_TIMEOUT_MS", 30_000),
        # Stripe
        "STRIPE_SECRET_KEY": stripe_key,
        "STRIPE_API_BASE": get("STRIPE_API_BASE", "" if real_stripe else f"http://127.0.0.1:{sandbox_port}"),
        "STRIPE_WEBHOOK_SECRETS": [s for s in get(
            "STRIPE_WEBHOOK_SECRET", "" if real_stripe else SANDBOX_SECRET).split(",") if s],  # two while rotating
        "STRIPE_LIVE": stripe_key.startswith(("sk_live_", "rk_live_")),
        "STRIPE_RATE": number("STRIPE_RATE", 20 if real_stripe else 0),  # calls a second per endpoint; 0 = no limit
        "ASK_ADDRESS": number("ASK_ADDRESS", 0) > 0,  # Stripe's form asks everybody for the whole address of the bill
        "COLLECT_CONCURRENCY": number("COLLECT_CONCURRENCY", 8),  # collections in flight per worker
        # mail
        "SMTP_URL": get("SMTP_URL"),  # smtp://user:password@host:port; without it mails land in the mailbox page
        "MAIL_FROM": get("MAIL_FROM", "Achterban <backers@achterban.example>"),
        # rules of the house
        "PLATFORM_FEE_BP": number("PLATFORM_FEE_BP", 500),  # of what is collected, in basis points; frozen at launch
        "HOLD_MINUTES": number("HOLD_MINUTES", 15),  # how long a reward is kept while card details are typed (C-08)
        "MAX_DAYS": number("MAX_DAYS", 60),  # the longest a project may run
        "FIX_DAYS": number("FIX_DAYS", 7),  # time to mend a failed charge (S-33), 3 to 14
        "PAYOUT_DAYS": number("PAYOUT_DAYS", 14),  # days after the deadline before a creator is paid, 14 at least (S-64)
        "RESERVE_BP": number("RESERVE_BP", 0),  # of each payment, kept back for refunds; frozen at launch
        "RESERVE_DAYS": number("RESERVE_DAYS", 90),  # after the deadline, when the reserve is paid
        "CREATOR_DEBT_LIMIT": number("CREATOR_DEBT_LIMIT", 0),  # minor units a creator may owe and still launch (S-71)
        "PLATFORM_COUNTRY": get("PLATFORM_COUNTRY", "NL").upper(),  # of the platform's own Stripe account (S-72)
        "SHARE_DAYS": number("SHARE_DAYS", 30),  # how long a sharing link is remembered (W-26)
        "MILESTONE_DAYS": number("MILESTONE_DAYS", 14),  # after friends paid, until what they unlocked is earned (W-27)
        # fairness of sharing (W-27): above these a person looks; nothing is taken away by a number alone
        "BURST_PLEDGES": number("BURST_PLEDGES", 5),  # credited pledges by one link within BURST_MINUTES
        "BURST_MINUTES": number("BURST_MINUTES", 10),
        "BURST_FROM_NETWORK": number("BURST_FROM_NETWORK", 3),  # of one link from one network in a day: a household's size
        "ONE_ADDRESS": number("ONE_ADDRESS", 3),  # backers of one link at one address: a household's size
        "ADDRESS_CROWD": number("ADDRESS_CROWD", 8),  # what more people gave is a big house, and says nothing of two of them
        "SIMILAR_MAILS": number("SIMILAR_MAILS", 3),  # addresses that differ by a number only
        "NEW_ACCOUNTS": number("NEW_ACCOUNTS", 8),  # made within NEW_MINUTES of pledging by one link, in a day
        "NEW_MINUTES": number("NEW_MINUTES", 15),
        "MONEY_BACK": number("MONEY_BACK", 2),  # credited pledges whose money was asked back: by a bank or the backer
        # The last four digits of cards that everybody has, Stripe's test card: in test mode they say nothing of a person.
        "EVERYBODYS_CARDS": [] if stripe_key.startswith(("sk_live_", "rk_live_")) else ["4242"],
        "MAX_HOLDS": number("MAX_HOLDS", 3),  # pledges one account may hold at once (C-09)
        # web
        "TEMPLATE_CACHE": get("TEMPLATE_CACHE", str(instance / "cache" / "templates")),  # compiled ones, for all processes
        "MEDIA_URL": get("MEDIA_URL", f"file://{instance / 'media'}"),  # fsspec address of the pictures' store
        "MAX_CONTENT_LENGTH": number("MAX_UPLOAD_MB", 12) * 1024 * 1024,  # W-17
        "MAX_FORM_MEMORY_SIZE": 512 * 1024,
        "MAX_FORM_PARTS": 300,
        "SESSION_IDLE": timedelta(hours=12),
        "SESSION_ABSOLUTE": timedelta(days=30),
        "PERMANENT_SESSION_LIFETIME": timedelta(days=30),
        "BABEL_DEFAULT_LOCALE": get("DEFAULT_LANGUAGE", "en"),
        "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "translations"),
        "LANGUAGES": ("en", "nl"),
        "BOOTSTRAP_SERVE_LOCAL": True,
        "METRICS_TOKEN": get("METRICS_TOKEN"),  # /metrics and readiness details need it; without one, loopback only
        "LOG_LEVEL": get("LOG_LEVEL", "INFO"),
    }
    secure = base_url.startswith("https://")
    config["SESSION_COOKIE_NAME"] = "__Host-session" if secure else "session"
    config["SHARE_COOKIE_NAME"] = "__Host-via" if secure else "via"
    config["DEVICE_COOKIE_NAME"] = "__Host-device" if secure else "device"
    config["SESSION_COOKIE_SECURE"] = secure
    if config["FIX_DAYS"] not in range(3, 15):
        raise Refused("FIX_DAYS must be from 3 to 14.")
    if config["PAYOUT_DAYS"] < 14:
        raise Refused("PAYOUT_DAYS must be 14 at least.")
    if config["RESERVE_BP"] not in range(0, 10_001):
        raise Refused("RESERVE_BP must be from 0 to 10000.")
    if config["RESERVE_DAYS"] < config["PAYOUT_DAYS"]:
        raise Refused("RESERVE_DAYS must not be less than PAYOUT_DAYS.")
    if config["MILESTONE_DAYS"] not in range(121):
        raise Refused("MILESTONE_DAYS must be from 0 to 120.")
    if config["HOLD_MINUTES"] not in range(5, 31):
        raise Refused("HOLD_MINUTES must be from 5 to 30.")  # Checkout Sessions end after 31 minutes
    if config["STRIPE_LIVE"] and config["STRIPE_API_BASE"].rstrip("/") not in ("", "https://api.stripe.com"):
        raise Refused("A live Stripe key does not go to a sandbox: take STRIPE_API_BASE away.")  # S-15, in every mode
    if mode == "production":
        _refuse_defaults(config, get)
    else:
        _make_up_secrets(config, instance)
    return config


def _hosts(base_url: str, mode: str) -> list[str]:
    host = base_url.split("://", 1)[-1].split("/")[0].split(":")[0]
    return [host] if mode == "production" else [host, "localhost", "127.0.0.1"]


def _refuse_defaults(config: dict[str, Any], get: Any) -> None:
    weak = {"", "change-me", "changeme", "secret", "development"}
    for name in ("SECRET_KEY", "SECURITY_PASSWORD_SALT"):
        if config[name] in weak or len(config[name]) < 32:
            raise Refused(f"{name} must be set to at least 32 random characters in production.")
    if not get("BASE_URL"):
        raise Refused("BASE_URL must be set in production: mails and Stripe lead people back to it.")
    if not config["BASE_URL"].startswith("https://"):
        raise Refused("BASE_URL must begin with https:// in production.")
    if config["STRIPE_SECRET_KEY"] == SANDBOX_KEY:
        raise Refused("STRIPE_SECRET_KEY must be set in production.")
    if not config["STRIPE_WEBHOOK_SECRETS"] or SANDBOX_SECRET in config["STRIPE_WEBHOOK_SECRETS"]:
        raise Refused("STRIPE_WEBHOOK_SECRET must be set in production.")
    local = config["STRIPE_API_BASE"].rstrip("/") not in ("", "https://api.stripe.com")
    if not config["STRIPE_LIVE"] and not local:
        raise Refused("A test key does not go to Stripe in production: use a live key, or name a sandbox.")
    if not config["SMTP_URL"]:
        raise Refused("SMTP_URL must be set in production: people are told about their money by mail.")
    if not config["DATABASE_URL"]:
        raise Refused("DATABASE_URL must be set in production.")


def _make_up_secrets(config: dict[str, Any], instance: Path) -> None:
    """Zero set-up in development: keys are made on the first run and kept in the instance folder."""
    for name in ("SECRET_KEY", "SECURITY_PASSWORD_SALT"):
        if config[name]:
            continue
        path = instance / f"{name.lower()}.txt"
        instance.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
        for _ in range(100):  # another process may be between making the file and filling it
            if text := path.read_text():
                config[name] = text
                break
