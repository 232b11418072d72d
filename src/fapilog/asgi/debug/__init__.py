"""The debug route: what an operator can read off a running process, behind a token.

``options`` says where it stands, ``auth`` decides who may read, ``routes`` answers, ``link`` tells the way.
"""
