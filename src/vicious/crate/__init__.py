"""A research object of a study: an RO-Crate, made from its records of provenance.

:mod:`~vicious.crate.jobs` gathers what was run, :mod:`~vicious.crate.graph` describes it by the profiles for runs of
workflows, and :mod:`~vicious.crate.write` writes it. https://www.researchobject.org/ro-crate/ defines the format,
https://w3id.org/ro/wfrun/workflow/0.5 the profile.
"""
