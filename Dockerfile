# One image for the Ray head, Ray workers, notebook, jobs, offline models and the MLflow server, so that
# their versions cannot differ. Build it with BuildKit (Docker's own builder since version 23):
#
#     docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag ghcr.io/dream-rag/dream:0.1.0 .
#
# What is done to the file system stands in infra/image/steps; infra/image/build-rootfs.sh reads this file
# and runs the same steps, in the same order and as the same users, where no image builder runs.

# Debian's packages and the user: what the stages below share, so that each holds the same system.
FROM python:3.11.15-slim-bookworm AS system
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN --mount=type=bind,source=infra/image/steps/10-system.sh,target=/src/infra/image/steps/10-system.sh \
    /src/infra/image/steps/10-system.sh

# Everything Python. uv and the build backend stay behind in this stage.
FROM system AS build
# Third-party packages first and alone: a change to our own code leaves this layer, 2 GB, as it is.
RUN --mount=type=bind,source=requirements.lock,target=/src/requirements.lock \
    --mount=type=bind,source=infra/image/tools.lock,target=/src/infra/image/tools.lock \
    --mount=type=bind,source=infra/image/tools.sh,target=/src/infra/image/tools.sh \
    --mount=type=bind,source=infra/image/steps/20-packages.sh,target=/src/infra/image/steps/20-packages.sh \
    /src/infra/image/steps/20-packages.sh
# hadolint ignore=DL3059
RUN --mount=type=bind,target=/src /src/infra/image/steps/30-dream.sh
# hadolint ignore=DL3059
RUN --mount=type=bind,target=/src /src/infra/image/steps/40-sbom.sh

FROM system AS image
COPY --from=build /opt/dream /opt/dream
# HOME and /tmp are the only folders written to; with a read-only root the charts mount volumes there.
# hadolint ignore=DL3064 # the word TOKEN is meant as in "token of a text"
ENV PATH=/opt/dream/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/home/dream \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    GIT_PYTHON_REFRESH=quiet \
    RAGAS_DO_NOT_TRACK=true \
    MLFLOW_DISABLE_TELEMETRY=true \
    RAY_USAGE_STATS_ENABLED=0 \
    TIKTOKEN_CACHE_DIR=/opt/dream/lib/python3.11/site-packages/llama_index/core/_static/tiktoken_cache
USER 1000:1000
WORKDIR /home/dream
# Run as the user whom it will serve: the image is refused here if a part of it does not work.
RUN --mount=type=bind,target=/src /src/infra/image/steps/50-check.sh
# Ray starts many processes; tini hands signals on and reaps those that lost their parent.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["dream", "--help"]

ARG REVISION=unknown
LABEL org.opencontainers.image.title="DREAM" \
      org.opencontainers.image.description="Finds the best RAG set-up for your own documents" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.15-slim-bookworm" \
      dev.dream.sbom="/opt/dream/share/sbom.cdx.json" \
      dev.dream.sbom.format="CycloneDX 1.6 JSON"
