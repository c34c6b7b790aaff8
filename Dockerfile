# The provider's image for those who have an engine; `lab image build` makes the same without one.
FROM python:3.11.14-slim-bookworm AS build
COPY requirements-provider.lock /tmp/
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: --target /site -r /tmp/requirements-provider.lock
COPY provider /app/provider
RUN python -m compileall -q --invalidation-mode unchecked-hash /site /app

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="capi-kamaji provider" org.opencontainers.image.licenses="Apache-2.0"
ENV PYTHONPATH=/app:/site PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /site /site
COPY --from=build /app /app
WORKDIR /app
USER 65532:65532
ENTRYPOINT ["python", "-m", "provider"]
CMD ["run"]
