"""What pyproject.toml cannot say: conf/ lies beside the package here, and in it once installed."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["pipeline*"]), "pipeline.conf"],
    package_dir={"pipeline.conf": "conf"},
)
