# The agent and its client, compiled ahead of time, in an image without a shell.
#   docker build -t corelift:dev .           or: buildah bud --format docker -t corelift:dev .
# Cross-built for arm64: --platform linux/arm64. ./run image builds and runs it for real, see CONTRIBUTING.md.
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0
ARG RUNTIME_IMAGE=mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled
ARG BUILDPLATFORM
ARG TARGETPLATFORM

# The compiler runs on the machine that builds; only what it makes is for TARGETARCH.
FROM --platform=${BUILDPLATFORM} ${SDK_IMAGE} AS build
ARG TARGETARCH
ARG RUNTIME_IMAGE
WORKDIR /src
COPY packaging/image/ packaging/image/
RUN packaging/image/tools.sh "${TARGETARCH:-amd64}"
COPY . .
RUN packaging/image/publish.sh "${TARGETARCH:-amd64}" /out "${RUNTIME_IMAGE}"

# Named although it is the default: buildah would take the platform of the stage before.
FROM --platform=${TARGETPLATFORM} ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG RUNTIME_IMAGE
LABEL org.opencontainers.image.title="corelift" \
      org.opencontainers.image.description="Lifts ELF cores out of running Linux processes: agent and client" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Corelift authors" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}"
COPY --from=build /out/usr /usr
# Where the socket goes when nothing is mounted here. With a read-only root, mount a volume or a tmpfs over it.
COPY --from=build --chown=1654:1654 /out/run /run
# The base image's own user. The part that traces needs uid 0 without anything but two capabilities, or ambient
# ones: whoever starts it says so (see helm/corelift and README.md), the image does not.
USER 1654:1654
ENTRYPOINT ["/usr/bin/corelift-agent"]
