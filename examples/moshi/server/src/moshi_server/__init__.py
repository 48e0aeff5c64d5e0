"""Moshi: keeps the utterances of spoken language lessons."""
