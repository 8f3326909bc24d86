"""Numbers for supervision in Prometheus' format, for this machine itself or with a token; and how long requests take."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from waitress import create_server

if TYPE_CHECKING:
    from engine import Engine

log = logging.getLogger(__name__)

#: Where gunicorn's processes add up what each of them measured (Prometheus' own variable).
TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
#: What a reverse proxy adds: then the request did not begin on this machine.
PASSED_ON = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")


class OfEngine:
    """Collects the engine's numbers when they are asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Each number once; that the database does not answer is a number too."""
        try:
            found = self._engine.measures()
        except Exception:  # whatever it is: supervision must hear of it, not of an error of its own
            log.exception("the numbers could not be read")
            yield GaugeMetricFamily("tadachi_database_up", "1 when the database answers.", value=0)
            return
        yield GaugeMetricFamily("tadachi_database_up", "1 when the database answers.", value=1)
        yield _family("tadachi_jobs_waiting", "Due work that is due later.", "kind", found.waiting)
        yield _family("tadachi_jobs_due", "Due work that is due now.", "kind", found.due)
        yield _family("tadachi_jobs_oldest_due_seconds", "For how long the oldest due work has been due.", "kind", found.late)
        yield _family("tadachi_jobs_failing", "Due work that failed and is tried again.", "kind", found.failed)
        yield _family("tadachi_jobs_dead", "Due work that is not tried again by itself.", "kind", found.dead)
        ways = GaugeMetricFamily(
            "tadachi_deliveries", "Notices and events by the way they go out and by state.", labels=["channel", "state"]
        )
        for way, number in found.deliveries.items():
            ways.add_metric(way, number)
        yield ways
        ages = {worker.name: worker.age for worker in found.workers}
        yield _family("tadachi_worker_heartbeat_age_seconds", "Since when a worker has not been seen.", "worker", ages)
        ahead = {worker.name: worker.ahead for worker in found.workers if worker.ahead is not None}
        yield _family("tadachi_worker_clock_ahead_seconds", "How far a worker's clock was ahead of the database's.", "worker", ahead)


def _family(name: str, says: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def may_read(environ: Mapping[str, Any], token: str) -> bool:
    """Whether a request comes from this very machine, or brings the token."""
    given = str(environ.get("HTTP_AUTHORIZATION", ""))
    if token and hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode()):
        return True
    try:
        near = ipaddress.ip_address(str(environ.get("REMOTE_ADDR", ""))).is_loopback
    except ValueError:
        near = False
    host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0].strip("[]").lower()
    return near and host in ("localhost", "127.0.0.1", "::1") and not any(environ.get(name) for name in PASSED_ON)


def _registry(engine: Engine) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(OfEngine(engine))
    return registry


def measure(app: Flask, engine: Engine, token: str) -> None:
    """Measure every request of an application, and answer /metrics."""
    registry = _registry(engine)
    together = TOGETHER in os.environ
    seconds = Histogram(
        "tadachi_request_seconds", "How long requests took.", ["method", "endpoint", "status"], buckets=BUCKETS,
        registry=None if together else registry,
    )  # fmt: skip
    if together:
        MultiProcessCollector(registry)

    @app.before_request
    def since() -> None:
        g.since = time.perf_counter()

    @app.after_request
    def took(response: Response) -> Response:
        if "since" in g:
            known = request.method if request.method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
            seconds.labels(known, request.endpoint or "none", str(response.status_code)).observe(time.perf_counter() - g.since)
        return response

    @app.get("/metrics", endpoint="metrics")
    def metrics() -> Response:
        if not may_read(request.environ, token):
            return Response("この機械の上からか、トークンを付けて読んでください。\n", 403, content_type="text/plain; charset=utf-8")
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def beside_worker(engine: Engine, host: str, port: int, token: str) -> Callable[[], None]:
    """Answer /metrics and /livez beside a worker that has no pages; returns what ends it. Raises OSError."""
    registry = _registry(engine)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/livez":
            status, kind, body = "200 OK", "application/json", b'{"status":"ok"}\n'
        elif path != "/metrics":
            status, kind, body = "404 Not Found", "text/plain", b""
        elif not may_read(environ, token):
            status, kind, body = "403 Forbidden", "text/plain", b""
        else:
            status, kind, body = "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry)
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    server = create_server(answer, host=host, port=port, threads=2, ident="", clear_untrusted_proxy_headers=False)
    ended = threading.Event()

    def run() -> None:
        try:
            server.run()
        except OSError:  # the socket was closed under its hands, as told
            if not ended.is_set():
                raise

    def end() -> None:
        ended.set()
        server.close()

    threading.Thread(target=run, name="metrics", daemon=True).start()
    return end
