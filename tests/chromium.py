"""The system's Chromium, which tests marked ``browser`` drive; they are not among the tests where there is none."""

import shutil

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
