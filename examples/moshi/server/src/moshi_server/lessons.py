"""Lessons on disk: one file of JSON lines each, so that an utterance is there for good before the client hears of it."""

import fcntl
import json
import os
import re
import threading
import time

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?\Z")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SPEAKERS = ("learner", "moshi")
MAX_TEXT_CHARACTERS = 2000
MAX_UTTERANCES = 5000


class Invalid(Exception):
    """The client sent something that is not an utterance, with the reason."""


class LessonFull(Exception):
    """The lesson has as many utterances as it may have."""


def check_name(name):
    """The name, if it can be one of a lesson (and so a file name)."""
    if not NAME.match(name):
        raise Invalid("a lesson's name has 1 to 63 lower-case letters, digits and hyphens")
    return name


def check_utterance(value):
    """The fields of an utterance, completed; raises Invalid for anything else."""
    if not isinstance(value, dict):
        raise Invalid("expected a JSON object")
    unknown = sorted(set(value) - {"speaker", "text", "language"})
    if unknown:
        raise Invalid("unknown field: %s" % ", ".join(unknown))
    speaker = value.get("speaker", "learner")
    if speaker not in SPEAKERS:
        raise Invalid("speaker: expected one of %s" % ", ".join(SPEAKERS))
    text = value.get("text")
    if not isinstance(text, str) or not text.strip():
        raise Invalid("text: expected words")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise Invalid("text: at most %d characters" % MAX_TEXT_CHARACTERS)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("text: not valid Unicode") from None
    language = value.get("language", "en-US")
    if not isinstance(language, str) or not LANGUAGE.match(language):
        raise Invalid("language: expected a code such as ja or en-US")
    return {"speaker": speaker, "text": text.strip(), "language": language}


class Lessons:
    """All lessons below one folder."""

    def __init__(self, folder):
        self._folder = folder
        self._lock = threading.Lock()

    def ready(self):
        """True when lessons can be written."""
        try:
            os.makedirs(self._folder, exist_ok=True)
        except OSError:
            return False
        return os.access(self._folder, os.W_OK | os.X_OK)

    def names(self):
        """The names of all lessons, sorted."""
        try:
            files = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(name[: -len(".jsonl")] for name in files if name.endswith(".jsonl"))

    def read(self, name):
        """The utterances of a lesson, oldest first; None when there is no such lesson."""
        try:
            with open(self._path(name), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        return [json.loads(line) for line in _whole_lines(data)]

    def add(self, name, utterance):
        """Appends an utterance and returns it with its number and time, after it is on the disk."""
        path = self._path(name)
        os.makedirs(self._folder, exist_ok=True)
        with self._lock:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
            with os.fdopen(descriptor, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                lines = _whole_lines(file.read())
                if len(lines) >= MAX_UTTERANCES:
                    raise LessonFull("a lesson has at most %d utterances" % MAX_UTTERANCES)
                entry = dict(utterance, number=len(lines) + 1, time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
                # What a power cut left behind the last whole line goes away here.
                file.seek(sum(len(line) + 1 for line in lines))
                file.truncate()
                file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            if entry["number"] == 1:
                _sync_folder(self._folder)
        return entry

    def _path(self, name):
        return os.path.join(self._folder, check_name(name) + ".jsonl")


def practised_words(utterances):
    """How often the learner said each word, most often first."""
    counts = {}
    for utterance in utterances:
        if utterance["speaker"] == "learner":
            for word in WORD.findall(utterance["text"].lower()):
                counts[word] = counts.get(word, 0) + 1
    return [{"word": word, "count": count} for word, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def _whole_lines(data):
    return data.split(b"\n")[:-1]


def _sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
