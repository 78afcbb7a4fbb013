"""Logs: one JSON object a line in UTC; ids yes, people no (O-10)."""

import logging
import sys

import structlog
from flask import Flask
from structlog.tracebacks import ExceptionDictTransformer


def init_app(app: Flask) -> None:
    level = getattr(logging, app.config["LOG_LEVEL"].upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without the frames' variables: a password was once among them.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # The Stripe library prints request bodies at DEBUG.
    logging.getLogger("stripe").setLevel(max(level, logging.WARNING))
    logging.getLogger("procrastinate").setLevel(max(level, logging.WARNING))
