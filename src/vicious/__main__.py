"""``python -m vicious``."""

import sys

from vicious.cli import main

sys.exit(main())
