# The worker roles: `docker build -t deskwatch:0.2.0 .`, then `deskwatch run track` or `deskwatch run store`.
# Production needs a Kafka and a ClickHouse, and none of the embedded parts.

FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /opt/deskwatch
COPY pyproject.toml README.md ./
COPY streams streams
COPY sinks sinks
COPY dashboards dashboards
RUN /opt/deskwatch/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin deskwatch
COPY --from=build /opt/deskwatch /opt/deskwatch
ENV PATH=/opt/deskwatch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["deskwatch"]
CMD ["run"]
