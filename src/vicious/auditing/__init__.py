"""Auditing a model from anywhere: what an attacker reads of images from its outputs."""
