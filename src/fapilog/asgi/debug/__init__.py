"""The debug route: what an operator can read off a running process, behind a token.

``auth`` decides who may read, ``routes`` answers, ``link`` says where.
"""
