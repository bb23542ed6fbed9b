# syntax=docker/dockerfile:1
# The server without models, for processors (target cpu, the default) or for NVIDIA GPUs (target cuda):
#
#   docker build --target cpu -t serving .
#   docker run --read-only --tmpfs /tmp:size=16m -v "$PWD/models:/models:ro" -p 8080:8080 serving
#
# No shell, no package manager, user 1654; it writes nowhere but to /tmp. For production pin both images by digest:
#   --build-arg SDK=…@sha256:… --build-arg RUNTIME=…@sha256:…
ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0.402-noble
ARG RUNTIME=mcr.microsoft.com/dotnet/aspnet:10.0.13-noble-chiseled

FROM ${SDK} AS source
WORKDIR /source
COPY . .

FROM source AS publish-cpu
RUN tools/publish.sh /app cpu

FROM source AS publish-cuda
RUN tools/publish.sh /app cuda

FROM ${RUNTIME} AS serving
ENV ASPNETCORE_HTTP_PORTS=8080 \
    DOTNET_EnableDiagnostics=0 \
    Serving__Models=/models
WORKDIR /app
VOLUME /models
EXPOSE 8080 8081
USER 1654
ENTRYPOINT ["dotnet", "Serving.Server.dll"]

FROM serving AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    Serving__Device=cuda
COPY --from=publish-cuda /app /app

FROM serving AS cpu
COPY --from=publish-cpu /app /app
