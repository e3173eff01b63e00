"""Passwords of URLs are hidden in what is kept and shown; everything else stays as it is."""

import pytest

from harness.keep.texts import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:secret@host/results", "postgresql://me:***@host/results"),
        ("postgresql+psycopg://me:se/cr:et@x@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://:secret@/results?host=/run", "postgresql://:***@/results?host=/run"),
        ("--db 'postgresql://me:a b' x", "--db 'postgresql://me:a b' x"),
        (
            "postgresql://me@host/db?password=secret&sslmode=require",
            "postgresql://me@host/db?password=***&sslmode=require",
        ),
        (
            "rtsp://camera:1234@10.0.0.7/street and https://a:b@c/d",
            "rtsp://camera:***@10.0.0.7/street and https://a:***@c/d",
        ),
        ("no scheme: me:secret@host", "no scheme: me:secret@host"),
        ("https://host:8080/a/b.mp4", "https://host:8080/a/b.mp4"),
        ("", ""),
    ],
)
def test_only_passwords_are_hidden(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
