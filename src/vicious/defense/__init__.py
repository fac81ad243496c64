"""The user's side: detectors that score how vicious a target model looks, and their evaluation."""
