"""How detectors are evaluated: verdicts on models, and how well they separate vicious from honest ones."""
