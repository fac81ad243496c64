"""The report page: all results of a scale in one HTML file, which needs neither a network nor a server.

:mod:`~vicious.webpage.contents` gathers what is on it, and page.html lays it out. Without its script the page shows all
of it; the script adds sorting, filters and the slider.
"""
