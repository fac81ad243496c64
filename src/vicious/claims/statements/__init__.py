"""One file for each claim; :mod:`vicious.claims` says what it holds."""
