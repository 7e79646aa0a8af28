# syntax=docker/dockerfile:1
# One image for the service and for agents: `latcast serve` by default, `latcast agent` in compose.
# A tag moves; to pin what is built on: --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:… (docs/security.md).
ARG PYTHON_IMAGE=python:3.11-slim
# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
COPY image-requirements.txt ./
RUN python -m venv /opt/latcast \
    && /opt/latcast/bin/pip install --no-cache-dir --require-hashes --requirement image-requirements.txt
COPY pyproject.toml setup.py README.md LICENSE NOTICE ./
COPY latcast latcast
COPY profilers profilers
COPY predictors predictors
COPY service service
COPY migrations migrations
COPY web web
RUN /opt/latcast/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation .

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE}
# lightgbm needs the OpenMP runtime.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 latcast \
    && install --directory --owner latcast --group latcast /data /state
COPY --from=build /opt/latcast /opt/latcast
ENV PATH=/opt/latcast/bin:$PATH \
    ORT_DISABLE_TELEMETRY=1 \
    LATCAST_DATA_DIR=/data \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8321
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8321/healthz', timeout=2)"]
CMD ["latcast", "serve", "--host", "0.0.0.0", "--require-keys"]
