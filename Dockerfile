# The locked environment alone: the clone is mounted at /study, so code and results stay outside. docs/cluster.md says how.
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /study
COPY requirements.lock /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock
WORKDIR /study
COPY pyproject.toml README.md ./
COPY src src
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-index -e .
ENV HOME=/tmp
ENTRYPOINT ["snakemake"]
