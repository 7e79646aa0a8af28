"""Copies migrations and dashboard into the wheel, so that an installed `latcast serve` has both."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithFolders(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            ignore = shutil.ignore_patterns("__pycache__")
            for folder in ("migrations", "web"):
                target = Path(self.build_lib) / "service" / f"_{folder}"
                shutil.copytree(HERE / folder, target, ignore=ignore, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithFolders})
