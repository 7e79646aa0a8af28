"""Copies the migrations into the wheel, so that an installed `latcast serve` can migrate its database."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithMigrations(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            ignore = shutil.ignore_patterns("__pycache__")
            target = Path(self.build_lib) / "service" / "_migrations"
            shutil.copytree(HERE / "migrations", target, ignore=ignore, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithMigrations})
