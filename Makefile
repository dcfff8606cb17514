# make demo   set up .venv, then train, test and draw ctdet on the toy set
# make test   set up .venv, then run the tests; PYTEST_ARGS="-k nms" narrows them
#
# Needs Python 3.10 or newer and nothing else; PYTHON=python3.12 names another interpreter.
# Both are safe to run again, also after a run that was killed while it installed.

PYTHON ?= python3
VENV := .venv
# Not $(abspath), which takes a folder with a space in its name for two.
SPACE := $() $()
RUN := $(subst $(SPACE),\$(SPACE),$(if $(filter /%,$(VENV)),,$(CURDIR)/)$(VENV)/bin/python)
PYTEST_ARGS ?=
DEMO_ARGS ?=
# From scratch, in minutes on two cores: a small network, small steps, views that stray little. One
# core learns and one draws the samples: more threads for so small a network only wait for one another.
DEMO_TRAINING := --arch unet --weights none --batch_size 8 --lr 1e-3 --num_epochs 34 \
	--lr_step 25,31 --not_rand_crop --scale 0.3 --val_intervals 17 --channels_last \
	--threads 1 --num_workers 1

.PHONY: demo test
.DEFAULT_GOAL := demo

demo: $(VENV)/ready
	cd src && $(RUN) main.py ctdet --exp_id toy_demo --resume --dataset toy $(DEMO_TRAINING) $(DEMO_ARGS)
	cd src && $(RUN) test.py ctdet --exp_id toy_demo --load_model ../exp/ctdet/toy_demo/model_best.pth
	cd src && $(RUN) demo.py ctdet --exp_id toy_demo --load_model ../exp/ctdet/toy_demo/model_best.pth \
		--demo "../data/toy/shapes/val/*1.jpg"

test: $(VENV)/ready
	$(RUN) -m tests $(PYTEST_ARGS)

# `ready` is written last, so an environment without it is half made and is made afresh. With it,
# and something newer than it, the package is only installed again.
$(VENV)/ready: pyproject.toml requirements.txt setup.py external/nms.pyx
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "$(PYTHON) is absent or older than 3.10: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -f $@ || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment." >&2; \
		echo "Debian, Ubuntu: apt install python3-venv. Fedora: dnf install python3-pip." >&2; \
		exit 1; }
	@rm -f $@
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --editable . --group test
	@$(RUN) -c 'import cv2' 2>/dev/null || { \
		echo "OpenCV's window library does not load here (no libGL): taking the form without"; \
		$(RUN) -m pip uninstall --quiet --yes opencv-python && \
		$(RUN) -m pip install --quiet opencv-python-headless; }
	@$(RUN) -c 'from centernet.external import nms; print("NMS:", nms.BACKEND)'
	@touch $@
