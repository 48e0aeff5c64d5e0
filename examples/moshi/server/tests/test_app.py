"""Run with: cd server && PYTHONPATH=src python3 -m unittest discover -s tests"""

import io
import json
import os
import tempfile
import threading
import unittest
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from moshi_server import lessons as store
from moshi_server.app import MAX_BODY_BYTES, make_app


class AppTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = os.path.join(temporary.name, "state")
        self.app = make_app(self.folder)

    def call(self, method, path, body=None, query="", length=None):
        environ = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query}
        setup_testing_defaults(environ)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        environ["wsgi.input"] = io.BytesIO(data)
        if body is not None or length is not None:
            environ["CONTENT_LENGTH"] = str(len(data)) if length is None else length
        seen = {}

        def start_response(status, headers, _exc_info=None):
            seen.update(status=int(status.split()[0]), headers=dict(headers))
            return lambda _data: None

        answer = validator(self.app)(environ, start_response)
        try:
            text = b"".join(answer)
        finally:
            answer.close()
        return seen["status"], json.loads(text) if text else None, seen["headers"]

    def say(self, text, lesson="greetings", **more):
        return self.call("POST", "/lessons/%s/utterances" % lesson, dict(more, text=text))

    def test_health_needs_a_writable_folder(self):
        self.assertEqual(self.call("GET", "/healthz")[:2], (200, {"status": "ok"}))
        blocked = os.path.join(self.folder, "file")
        open(blocked, "w").close()
        self.app = make_app(os.path.join(blocked, "state"))
        self.assertEqual(self.call("GET", "/healthz")[0], 503)

    def test_version_names_the_package(self):
        status, body, _ = self.call("GET", "/version")
        self.assertEqual((status, body["name"]), (200, "moshi-server"))
        self.assertRegex(body["version"], r"^\d+(\.\d+)*|^0\+source$")

    def test_keeps_utterances_in_order_and_over_a_restart(self):
        self.assertEqual(self.say("Konnichiwa", language="ja")[0], 201)
        status, second, _ = self.say("Good!", speaker="moshi")
        self.assertEqual((status, second["number"]), (201, 2))
        self.app = make_app(self.folder)
        status, body, _ = self.call("GET", "/lessons/greetings")
        self.assertEqual(status, 200)
        self.assertEqual([(u["number"], u["speaker"], u["text"]) for u in body["utterances"]], [(1, "learner", "Konnichiwa"), (2, "moshi", "Good!")])
        self.assertEqual([u["number"] for u in self.call("GET", "/lessons/greetings", query="after=1")[1]["utterances"]], [2])
        self.assertEqual(self.call("GET", "/lessons")[1], {"lessons": ["greetings"]})

    def test_counts_the_words_of_the_learner_alone(self):
        self.say("Ça va? Ça va bien.")
        self.say("bien bien bien", speaker="moshi")
        words = self.call("GET", "/lessons/greetings/words")[1]["words"]
        self.assertEqual(words, [{"word": "va", "count": 2}, {"word": "ça", "count": 2}, {"word": "bien", "count": 1}])

    def test_a_torn_last_line_is_dropped(self):
        self.say("one")
        with open(os.path.join(self.folder, "greetings.jsonl"), "ab") as file:
            file.write(b'{"speaker":"learner","te')
        self.assertEqual(self.call("GET", "/lessons/greetings")[1]["count"], 1)
        self.assertEqual(self.say("two")[1]["number"], 2)
        self.assertEqual([u["text"] for u in self.call("GET", "/lessons/greetings")[1]["utterances"]], ["one", "two"])

    def test_numbers_are_unique_when_many_speak_at_once(self):
        threads = [threading.Thread(target=lambda: [self.say("word") for _ in range(5)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        numbers = [u["number"] for u in self.call("GET", "/lessons/greetings")[1]["utterances"]]
        self.assertEqual(numbers, list(range(1, 21)))

    def test_refuses_what_is_not_an_utterance(self):
        path = "/lessons/greetings/utterances"
        for body, word in (
            (b"{", "JSON"),
            (b"\xff", "JSON"),
            ([], "object"),
            ({}, "text"),
            ({"text": "  "}, "text"),
            ({"text": 3}, "text"),
            ({"text": "x" * 2001}, "2000"),
            (b'{"text": "\\ud800"}', "Unicode"),
            ({"text": "x", "speaker": "cat"}, "speaker"),
            ({"text": "x", "language": "Japanese"}, "language"),
            ({"text": "x", "mood": "good"}, "mood"),
        ):
            with self.subTest(body=body):
                status, answer, _ = self.call("POST", path, body)
                self.assertEqual(status, 400)
                self.assertIn(word, answer["error"])
        self.assertEqual(self.call("POST", path, b"{}", length="9")[0], 400)
        self.assertEqual(self.call("GET", "/lessons/greetings")[0], 404)

    def test_bounds_the_body(self):
        path = "/lessons/greetings/utterances"
        self.assertEqual(self.call("POST", path)[0], 411)
        self.assertEqual(self.call("POST", path, b"", length=str(MAX_BODY_BYTES + 1))[0], 413)

    def test_names_never_leave_the_folder(self):
        for name in ("..", "a.b", "A", "-a", "a" * 64, "%2e%2e", "a\n"):
            with self.subTest(name=name):
                self.assertEqual(self.say("x", lesson=name)[0], 400)
        self.assertFalse(os.path.exists(self.folder) and os.listdir(self.folder))

    def test_a_full_lesson_takes_no_more(self):
        self.addCleanup(setattr, store, "MAX_UTTERANCES", store.MAX_UTTERANCES)
        store.MAX_UTTERANCES = 1
        self.assertEqual(self.say("one")[0], 201)
        self.assertEqual(self.say("two")[0], 409)

    def test_unknown_paths_and_methods(self):
        self.assertEqual(self.call("GET", "/nope")[0], 404)
        self.assertEqual(self.call("GET", "/lessons/none")[0], 404)
        self.assertEqual(self.call("GET", "/lessons/greetings", query="after=-1")[0], 404)
        status, _, headers = self.call("DELETE", "/healthz")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        status, body, headers = self.call("HEAD", "/healthz")
        self.assertEqual((status, body, headers["Content-Length"]), (200, None, "17"))


if __name__ == "__main__":
    unittest.main()
