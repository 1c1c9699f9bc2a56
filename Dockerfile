# The agent as an image: the base of an app's own image, or a container beside the app's.

FROM node:26-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc tsconfig.json build.js ./
# Scripts come with the sources: the package builds itself after an installation.
RUN npm ci --ignore-scripts
COPY src ./src
# The maps are for those who have the sources.
RUN npm run build && rm dist/cli/*.map

FROM node:26-trixie-slim
LABEL org.opencontainers.image.title="outrigger" \
      org.opencontainers.image.description="Registers an app while it is healthy and routes its calls by service name" \
      org.opencontainers.image.licenses="MIT"
# The first process of a container must reap what others leave behind, and gets no signal that it does not handle.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/outrigger
COPY package.json LICENSE ./
COPY bin ./bin
COPY --from=build /build/dist ./dist
RUN ln -s /opt/outrigger/bin/outrigger.js /usr/local/bin/outrigger
ENV NODE_ENV=production
WORKDIR /app
# By number, so that Kubernetes can tell that it is not root; it is the user "node" of the base image.
USER 1000:1000
# Asks the admin API, where OUTRIGGER_ADMIN says that it is. An agent that drains is still well.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["outrigger", "status"]
ENTRYPOINT ["tini", "--", "outrigger"]
CMD ["run"]
