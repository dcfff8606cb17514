# CPU:   docker build -t centernet .
# CUDA:  docker build -t centernet --build-arg BASE=nvidia/cuda:12.6.3-base-ubuntu24.04 \
#            --build-arg TORCH_INDEX=https://pypi.org/simple .
# Run:   docker run --rm centernet                                 # make demo
#        docker run --rm --gpus all -v "$PWD/data:/centernet/data" -v "$PWD/exp:/centernet/exp" \
#            centernet centernet train ctdet --exp_id mine
#
# BASE is any Debian or Ubuntu image. PyPI's wheels of PyTorch for Linux bring CUDA along, so that a
# CUDA base only has to let the driver in.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && { command -v python3 || apt-get install -y --no-install-recommends python3-dev python3-venv; } \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --index-url "$TORCH_INDEX" torch torchvision
COPY . /centernet
# There is no window in a container: OpenCV's form without needs no libGL.
RUN /opt/venv/bin/pip install /centernet \
    && /opt/venv/bin/pip uninstall --yes opencv-python \
    && /opt/venv/bin/pip install opencv-python-headless

FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && { command -v python3 || apt-get install -y --no-install-recommends python3; } \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home centernet
COPY --from=build /opt/venv /opt/venv
COPY --chown=centernet . /centernet
# `ready` tells make that the environment is complete; it has to be newer than the sources.
RUN mkdir -p /centernet/data /centernet/exp /centernet/models \
    && chown centernet /centernet /centernet/data /centernet/exp /centernet/models \
    && touch /opt/venv/ready
ENV PATH=/opt/venv/bin:$PATH
USER centernet
WORKDIR /centernet
CMD ["make", "demo", "VENV=/opt/venv"]
