"""python -m headrace_optimize"""

import sys

from headrace_optimize import cli

sys.exit(cli.main())
