"""Builds the one compiled part that is built at install time: non-maximum suppression.

Everything else stands in pyproject.toml. The extension is optional: where there is no C compiler
the installation goes on, says so, and the package uses its numba form of the same loops.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

# Without contraction a multiply and an add keep their two roundings on every processor, so that
# boxes at a threshold are decided as the numba form decides them. Nothing reads the flags of
# floating-point exceptions, and loops with branches become vectors only where none can be missed.
FLAGS = (
    ["/O2", "/fp:precise"]
    if os.name == "nt"
    else ["-O3", "-ffp-contract=off", "-fno-trapping-math"]
)

nms = Extension(
    "centernet.external._nms",
    ["external/nms.pyx"],
    extra_compile_args=FLAGS,
)

extensions = cythonize([nms], build_dir="build/cython")
for extension in extensions:
    extension.optional = True  # said here, as cythonize does not pass it on

setup(ext_modules=extensions)
