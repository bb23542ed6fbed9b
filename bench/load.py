"""The load that the measurements of one server share: callers that ask again as soon as they are answered, over connections of their own."""
import concurrent.futures, http.client, json, os, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "src/Server/bin/Release/net10.0")
TOKENS = 64
BODY = json.dumps(dict(model="glyph-en", prompt="The old house stood", max_tokens=TOKENS, temperature=1, ignore_eos=True))


def await_ready(port):
    for _ in range(300):
        try: return urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready")
        except OSError: time.sleep(0.1)
    raise SystemExit(f"nobody is ready on {port} after 30 s")


def cpu_seconds(process):
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(port, callers, seconds):
    """How many answers of TOKENS tokens so many callers got within so many seconds."""
    end = time.monotonic() + seconds

    def caller(_):
        connection, count = http.client.HTTPConnection("127.0.0.1", port), 0
        while time.monotonic() < end:
            connection.request("POST", "/v1/completions", BODY, {"content-type": "application/json"})
            answer = connection.getresponse(); answer.read()
            assert answer.status == 200
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(callers) as pool: return sum(pool.map(caller, range(callers)))
