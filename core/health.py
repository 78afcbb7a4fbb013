"""Is it alive, is it ready, how is it: for machines (O-08, O-09)."""

import os

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, current_app, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from core.db import db
from core.hooks import Hook
from core.policy import allow

bp = Blueprint("health", __name__)
measured: Hook[[CollectorRegistry]] = Hook("Rooms add their gauges to this registry when /metrics is read.")
ready_asked: Hook[[list[str]]] = Hook("Rooms add what keeps the site from doing its work; each a short sentence.")
_AT_WORK = sa.text(
    "SELECT EXISTS (SELECT FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds')")


@bp.get("/livez")
@allow("anyone")
def livez() -> Response:
    """The process answers; nothing else is asked."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@allow("anyone")
def readyz() -> tuple[Response, int]:
    """Database reachable and at the newest migration, somebody at work, disk not full, and what rooms add; the reasons
    only for who may know them."""
    from core.migrate import current, head

    wrong = []
    try:
        if current() != head():
            wrong.append("the database is not at the newest migration")
        elif not db.session.scalar(_AT_WORK):
            wrong.append("no worker has given a sign of life for a minute")
        ready_asked.send(wrong)
    except Exception:
        db.session.rollback()
        wrong.append("the database does not answer")
    disk = os.statvfs(current_app.config["INSTANCE"] if current_app.config["INSTANCE"].exists() else "/")
    if disk.f_bavail < disk.f_blocks * 0.10:
        wrong.append("the disk is nearly full")
    body = {"ready": not wrong} | ({"wrong": wrong} if may_look() else {})
    return jsonify(body), 503 if wrong else 200


@bp.get("/metrics")
@allow("anyone")
def metrics() -> Response:
    if not may_look():
        return Response("", status=404)
    registry = CollectorRegistry()
    jobs = Gauge("achterban_jobs", "Jobs by status", ["status"], registry=registry)
    for status, count in db.session.execute(
            sa.text("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1")):
        jobs.labels(status).set(count)
    Gauge("achterban_jobs_stalled", "Jobs of workers without a sign of life", registry=registry).set(db.session.scalar(
        sa.text("""SELECT count(*) FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
                    WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - interval '60 seconds')""")) or 0)
    Gauge("achterban_jobs_oldest_seconds", "How long the longest waiting job has been due", registry=registry).set(
        db.session.scalar(sa.text("""
            SELECT extract(epoch FROM now() - min(coalesce(j.scheduled_at, e.at))) FROM procrastinate_jobs j
              LEFT JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'deferred'
             WHERE j.status = 'todo' AND coalesce(j.scheduled_at, now()) <= now()""")) or 0)
    Gauge("achterban_mail_waiting", "Mails not sent yet", registry=registry).set(db.session.scalar(
        sa.text("SELECT count(*) FROM mail WHERE state IN ('queued', 'sending')")) or 0)
    measured.send(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def may_look() -> bool:
    """The token, or loopback when none is set."""
    token = current_app.config["METRICS_TOKEN"]
    if token:
        return request.headers.get("Authorization") == f"Bearer {token}"
    return request.remote_addr in ("127.0.0.1", "::1")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
