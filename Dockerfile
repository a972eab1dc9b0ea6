# wsi-scale on CPUs and, with the NVIDIA container toolkit, on GPUs: the wheels of PyTorch bring CUDA.
# Build it from a clone, after `make wheel`: docs/container.md.
ARG BASE=docker.io/library/debian:bookworm-slim
FROM ${BASE}

# Debian's own Python is the one that requirements.lock is for. Its patches are wanted, so no version is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

COPY requirements.lock dist/wsi_scale-*.whl /tmp/wheel/
RUN python3 -m venv /opt/wsi-scale \
    && for wheel in /tmp/wheel/*.whl; do \
        /opt/wsi-scale/bin/pip install --no-cache-dir --constraint /tmp/wheel/requirements.lock "${wheel}[workflow]" || exit 1; \
    done \
    && rm -rf /tmp/wheel

# Caches go where any user may write, and Snakemake asks for a name, so that `--user` can be anybody.
ENV PATH=/opt/wsi-scale/bin:$PATH \
    LC_ALL=C.UTF-8 \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    USER=wsi \
    XDG_CACHE_HOME=/tmp/cache

RUN useradd --create-home --uid 1000 wsi
USER 1000
WORKDIR /home/wsi
ENTRYPOINT ["wsi-scale"]
CMD ["--help"]
