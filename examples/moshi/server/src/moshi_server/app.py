"""The WSGI application (PEP 3333). Only what every start needs is imported here, since the VM's first answer waits for it."""

import json
import os
from urllib.parse import parse_qs

from moshi_server.lessons import Invalid, LessonFull, Lessons, check_name, check_utterance, practised_words

MAX_BODY_BYTES = 16 * 1024
STATUS = {
    200: "200 OK",
    201: "201 Created",
    400: "400 Bad Request",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    409: "409 Conflict",
    411: "411 Length Required",
    413: "413 Content Too Large",
    500: "500 Internal Server Error",
    503: "503 Service Unavailable",
}


class Problem(Exception):
    """An answer that is an error."""

    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status = status
        self.headers = list(headers)


def make_app(folder):
    """The application over one folder of lessons."""
    lessons = Lessons(folder)

    def app(environ, start_response):
        try:
            status, body = _answer(lessons, environ)
            headers = []
        except Problem as problem:
            status, body, headers = problem.status, {"error": str(problem)}, problem.headers
        except Invalid as invalid:
            status, body, headers = 400, {"error": str(invalid)}, []
        except LessonFull as full:
            status, body, headers = 409, {"error": str(full)}, []
        except OSError as error:
            print("the lessons cannot be used: %s" % error, file=environ["wsgi.errors"], flush=True)
            status, body, headers = 500, {"error": "the lessons cannot be used right now"}, []
        data = json.dumps(body, ensure_ascii=False).encode("utf-8") + b"\n"
        start_response(STATUS[status], [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(data))), *headers])
        return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    return app


def _answer(lessons, environ):
    # WSGI hands the path over as Latin-1; names are ASCII, so anything else just does not match.
    parts = environ.get("PATH_INFO", "/").strip("/").split("/")
    if parts == ["healthz"]:
        _allow(environ, "GET")
        return (200, {"status": "ok"}) if lessons.ready() else (503, {"status": "the folder of the lessons cannot be written"})
    if parts == ["version"]:
        _allow(environ, "GET")
        return 200, {"name": "moshi-server", "version": _version()}
    if parts == ["lessons"]:
        _allow(environ, "GET")
        return 200, {"lessons": lessons.names()}
    if len(parts) == 2 and parts[0] == "lessons":
        _allow(environ, "GET")
        utterances = _utterances(lessons, parts[1])
        after = _after(environ)
        return 200, {"lesson": parts[1], "count": len(utterances), "utterances": utterances[after:]}
    if len(parts) == 3 and parts[0] == "lessons" and parts[2] == "words":
        _allow(environ, "GET")
        return 200, {"lesson": parts[1], "words": practised_words(_utterances(lessons, parts[1]))}
    if len(parts) == 3 and parts[0] == "lessons" and parts[2] == "utterances":
        _allow(environ, "POST")
        check_name(parts[1])
        return 201, lessons.add(parts[1], check_utterance(_json_body(environ)))
    raise Problem(404, "there is nothing at this path")


def _allow(environ, method):
    allowed = ("GET", "HEAD") if method == "GET" else (method,)
    if environ["REQUEST_METHOD"] not in allowed:
        raise Problem(405, "this path takes %s" % " or ".join(allowed), [("Allow", ", ".join(allowed))])


def _utterances(lessons, name):
    utterances = lessons.read(name)
    if utterances is None:
        raise Problem(404, "there is no lesson %s" % name)
    return utterances


def _after(environ):
    value = parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[-1]
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise Invalid("after: expected the number of an utterance")
    return int(value)


def _json_body(environ):
    length = environ.get("CONTENT_LENGTH", "")
    if not (length.isascii() and length.isdigit()):
        raise Problem(411, "send the body with a Content-Length")
    if int(length) > MAX_BODY_BYTES:
        raise Problem(413, "the body may have at most %d bytes" % MAX_BODY_BYTES)
    data = environ["wsgi.input"].read(int(length))
    if len(data) != int(length):
        raise Invalid("the body ended before its Content-Length")
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON") from None


_cached_version = None


def _version():
    global _cached_version
    if _cached_version is None:
        # Imported on demand: it takes longer than the rest of this module, and health does not need it.
        from importlib.metadata import PackageNotFoundError, version

        try:
            _cached_version = version("moshi-server")
        except PackageNotFoundError:
            _cached_version = "0+source"
    return _cached_version


app = make_app(os.environ.get("MOSHI_STATE_DIR", "/var/lib/moshi"))
