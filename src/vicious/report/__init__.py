"""Tables and figures, from summaries only: no model is loaded here."""
