#!/usr/bin/env python3
"""Throughput of replicas behind nginx, each pinned to a core of its own and computing with one thread: each alone, since cores of a virtual
machine need not be alike, then all together. nginx (which asks the replica with the fewest requests) and this generator of load run on
whichever core they find, and their share is told: where there are no more cores than replicas, they take it from them.

    dotnet build -c Release src/Server && bench/replicas.py [REPLICAS [SECONDS]]
"""
import os, resource, subprocess, sys, tempfile, time

from load import BUILD, ROOT, TOKENS, answers, await_ready, cpu_seconds

PORT, FIRST, AT_ONCE = 8290, 8291, 16
NGINX = """daemon off; master_process off; pid {0}/pid; error_log stderr crit; events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
upstream serving {{ least_conn; {1} keepalive 64; }}
server {{ listen 127.0.0.1:8290; location / {{ proxy_pass http://serving; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}"""


if __name__ == "__main__":
    most, seconds = int((sys.argv + [str(os.cpu_count())])[1]), float((sys.argv + ["", "8"])[2])
    replicas = [subprocess.Popen(["taskset", "-c", str(core), "dotnet", os.path.join(BUILD, "Serving.Server.dll"), "--urls", f"http://127.0.0.1:{FIRST + core}", "--models",
                                  os.path.join(ROOT, "models"), "--Serving:Include=glyph-en", "--Serving:Threads=1"], stdout=subprocess.DEVNULL)
                for core in range(most)]
    try:
        for core in range(most): await_ready(FIRST + core)
        alone = 0
        for cores in [[core] for core in range(most)] + [list(range(most))]:
            with tempfile.TemporaryDirectory() as folder:
                file = os.path.join(folder, "nginx.conf")
                open(file, "w").write(NGINX.format(folder, " ".join(f"server 127.0.0.1:{FIRST + core};" for core in cores)))
                nginx = subprocess.Popen(["nginx", "-c", file, "-p", folder, "-e", "stderr"])
                try:
                    await_ready(PORT)
                    answers(PORT, AT_ONCE * len(cores), 2)
                    busy = [cpu_seconds(replica) for replica in replicas]
                    own, proxy, began = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), cpu_seconds(nginx), time.monotonic()
                    tokens = TOKENS * answers(PORT, AT_ONCE * len(cores), seconds)
                    took = time.monotonic() - began
                    own, proxy = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - own, cpu_seconds(nginx) - proxy
                    busy = [cpu_seconds(replica) - before for replica, before in zip(replicas, busy)]
                    print(f"on core {'+'.join(map(str, cores))}: {tokens / took:,.0f} tokens/s" +
                          (f", {tokens / took / alone:.0%} of the sum of each alone" if len(cores) > 1 else "") +
                          f"; replicas busy {', '.join(f'{each / took:.0%}' for each in busy)}, generator {own / took:.0%}, nginx {proxy / took:.0%}", flush=True)
                    alone += tokens / took if len(cores) == 1 else 0
                finally:
                    nginx.terminate(); nginx.wait()
    finally:
        for replica in replicas: replica.terminate()
        for replica in replicas: replica.wait()
