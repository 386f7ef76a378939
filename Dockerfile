# Mailboat: relay and operator in one image, one bundle each, Node, and nothing else: no shell, no package manager.
#   docker buildx build --platform linux/amd64,linux/arm64 --tag you/mailboat:0.1.0 --push .
# BASE gives Node 24 or later and the C libraries it needs; any Debian, Ubuntu or Red Hat image with Node will do.
ARG BASE=docker.io/library/node:24-bookworm-slim

# The bundles are the same on every platform: they are made once, where the build runs.
FROM --platform=$BUILDPLATFORM ${BASE} AS bundles
WORKDIR /source
COPY package.json package-lock.json ./
# No install scripts: the one that is allowed brings Node, which the base has.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY api api
COPY image image
COPY local local
COPY operator operator
COPY relay relay
COPY runtime runtime
RUN node image/bundle.ts /bundles

FROM ${BASE} AS root
COPY image/root.sh /image/root.sh
COPY --from=bundles /bundles /bundles
RUN /image/root.sh "$(command -v node)" /bundles /root-of-image

# What follows is read by image/build.ts too.
FROM scratch
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
COPY --from=root /root-of-image /
LABEL org.opencontainers.image.title="Mailboat" \
      org.opencontainers.image.description="Kubernetes-native mail relay: signs, delivers and traces every hop" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/usr/local/bin NODE_ENV=production
WORKDIR /app
# A number, so that the kubelet can see that it is not root.
USER 64464:64464
# The relay, as its pods start it; the operator is `node /app/operator/main.js run`, and `node /app/page/main.js` shows captured mail.
ENTRYPOINT ["/usr/local/bin/node", "/app/relay/main.js"]
CMD ["run"]
