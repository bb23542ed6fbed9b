#!/usr/bin/env python3
"""What telemetry costs one replica: three servers take turns under the same load, and the processor time that each needs for a token is
compared. The first measures nothing (the runtime's switch for meters is off), the second keeps its meters and is scraped every second,
the third also sends traces, metrics and logs to a collector, which here takes everything and keeps nothing.

    dotnet build -c Release src/Server && bench/telemetry.py [ROUNDS [SECONDS]]
"""
import http.server, json, os, shutil, statistics, subprocess, sys, tempfile, threading, time, urllib.request

from load import BUILD, ROOT, TOKENS, answers, await_ready, cpu_seconds

AT_ONCE = 16


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version, received = "HTTP/1.1", 0

    def do_POST(self):
        Collector.received += len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()

    def log_message(self, *_): pass


def start(build, port, **environment):
    server = subprocess.Popen(["dotnet", os.path.join(build, "Serving.Server.dll"), "--urls", f"http://127.0.0.1:{port}", "--Serving:Include=glyph-en",
                               "--models", os.path.join(ROOT, "models")], env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    await_ready(port)
    return server


def load(port, seconds, scraped):
    """Answers within so many seconds, scraped every second meanwhile or not."""
    over = threading.Event()

    def scraper():
        while not over.is_set():
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read()
            over.wait(1)

    if scraped: threading.Thread(target=scraper).start()
    try: return answers(port, AT_ONCE, seconds)
    finally: over.set()


if __name__ == "__main__":
    rounds, seconds = int((sys.argv + ["7"])[1]), float((sys.argv + ["7", "2"])[2])
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        bare = shutil.copytree(BUILD, os.path.join(folder, "bare"), ignore=shutil.ignore_patterns("models"))
        file = os.path.join(bare, "Serving.Server.runtimeconfig.json")
        settings = json.load(open(file))
        settings["runtimeOptions"]["configProperties"]["System.Diagnostics.Metrics.Meter.IsSupported"] = False
        json.dump(settings, open(file, "w"))
        export = dict(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        servers = [("nothing", start(bare, 8191), 8191), ("meters, scraped", start(BUILD, 8192), 8192), ("and exported", start(BUILD, 8193, **export), 8193)]
        try:
            figures = {name: [] for name, _, _ in servers}
            for _, server, port in servers: load(port, 2 * seconds, True)
            for turn in range(rounds):
                for name, server, port in servers[turn % 3:] + servers[:turn % 3]:
                    before, began = cpu_seconds(server), time.monotonic()
                    tokens = TOKENS * load(port, seconds, name != "nothing")
                    figures[name].append((1e6 * (cpu_seconds(server) - before) / tokens, tokens / (time.monotonic() - began)))
        finally:
            for _, server, _ in servers: server.terminate()
            for _, server, _ in servers: server.wait()
        base = statistics.median(cpu for cpu, _ in figures["nothing"])
        for name, turns in figures.items():
            each, speed = statistics.median(cpu for cpu, _ in turns), statistics.median(speed for _, speed in turns)
            print(f"{name}: {each:.1f} microseconds of processor time a token ({each / base - 1:+.1%}), {speed:,.0f} tokens/s; "
                  f"median of {rounds}, {min(turns)[0]:.1f} to {max(turns)[0]:.1f}")
        print(f"the collector took {Collector.received:,} bytes")
