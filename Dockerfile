# The binary, CA certificates and time zones on a slim Debian, without rights.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY benches benches
# There is no repository in here that could tell.
ARG IMGBATCH_COMMIT=""
RUN IMGBATCH_COMMIT="$IMGBATCH_COMMIT" cargo build --release --locked --bin imgbatch \
    && install -D target/release/imgbatch /image/usr/local/bin/imgbatch \
    && install -d -o 10001 -g 10001 /image/work

FROM debian:bookworm-slim
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /image/ /
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/imgbatch"]
