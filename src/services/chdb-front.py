"""ClickHouse's HTTP interface, as far as click-agg and its tests use it, in front of chDB.

chDB is ClickHouse's engine as a Python library: parser, planner, tables, files and background merges are the real
ones. Not the real ones are this file's HTTP, its log-in and its limits; there is no cluster and no Keeper.

    python3 chdb-front.py ENGINE DIRECTORY PORT

ENGINE: folder with the chdb package. DIRECTORY: where the databases live. The environment may set
CLICKHOUSE_PASSWORD, the password of the user `default`. The user `reader` has none and may only read.
"""
import base64
import gzip
import os
import queue
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

ENGINE, DIRECTORY, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, ENGINE)
import chdb  # noqa: E402
from chdb import _chdb  # noqa: E402

PASSWORDS = {"default": os.environ.get("CLICKHOUSE_PASSWORD", ""), "reader": ""}
CONNECTIONS = 16
# What the URL may carry beside settings.
NO_SETTINGS = {"query", "query_id", "database", "user", "password", "default_format", "session_id", "session_timeout",
               "session_check", "compress", "decompress", "buffer_size", "wait_end_of_query", "quota_key", "stacktrace",
               "role", "client_protocol_version", "enable_http_compression", "send_progress_in_http_headers",
               "http_headers_progress_interval_ms"}
# HTTP's status by the error's code, as the server has it; others are 500.
STATUS = {36: 400, 41: 400, 43: 400, 44: 400, 47: 404, 53: 400, 60: 404, 62: 400, 81: 404, 115: 404, 117: 400,
          158: 400, 159: 408, 164: 403, 193: 403, 194: 403, 241: 500, 497: 403, 516: 403}

# The engine of a process that was just killed may not have let go of its files yet.
BEGINNINGS = 6
BEGINNING = int(os.environ.get("CHDB_FRONT_BEGINNING", "1"))
try:
    main = _chdb.connect(DIRECTORY)
except RuntimeError:
    if BEGINNING == BEGINNINGS:
        raise
    time.sleep(1)
    # In a new process: this one's engine has failed for good.
    os.environ["CHDB_FRONT_BEGINNING"] = str(BEGINNING + 1)
    os.execv(sys.executable, [sys.executable, *sys.argv])


def connections(setup):
    pool = queue.LifoQueue()
    for _ in range(CONNECTIONS):
        connection = _chdb.connect(DIRECTORY)
        for statement in setup:
            connection.query(statement, "Null")
        # Beside it what the last request left: its database and settings.
        pool.put((connection, {}))
    return pool


POOLS = {"default": connections([]), "reader": connections(["SET readonly = 2"])}


def quoted(value):
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Refused(Exception):
    """An answer of the log-in, in the engine's words."""


def run(user, body, url, begin):
    """Runs one statement as a request asks for it. `begin` is called once it goes well, and gives where to write to."""
    text = url.get("query", "")
    insert = re.match(r"(\s*INSERT\b.*)\bFORMAT\s+(\w+)\s*$", text, re.IGNORECASE | re.DOTALL)
    sql = (text + "\n" if text and body else text).encode() + body
    if not sql.strip():
        raise Refused("Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)")
    pool = POOLS[user]
    connection, left = pool.get()
    try:
        prepare(connection, left, url)
        params = {name[6:]: value for name, value in url.items() if name.startswith("param_")}
        form = url.get("default_format") or "TabSeparated"
        if insert and body:
            # As part of the statement, data would end at an empty line.
            inserting = connection.send_insert(insert.group(1), insert.group(2))
            try:
                connection.insert_append(inserting, body)
            except RuntimeError:
                connection.insert_cancel(inserting)
                raise
            connection.insert_done(inserting)
            begin()
            return
        if not re.match(rb"\s*(SELECT|WITH)\b", sql, re.IGNORECASE) or params:
            answer = connection.query(sql, form, params=params)
            write = begin()
            write(bytes(answer.bytes() or b""))
            return
        # A long answer goes out as it comes.
        pieces = connection.send_query(sql, form)
        write = None
        try:
            while True:
                piece = connection.streaming_fetch_result(pieces)
                content = bytes(piece.bytes() or b"") if piece is not None else b""
                write = write or begin()
                if not content:
                    return
                write(content)
        except OSError:
            # Whoever asked is gone.
            connection.streaming_cancel_query(pieces)
            raise
    finally:
        pool.put((connection, left))


def prepare(connection, left, url):
    """Gives a connection the database and the settings of a request; `left` are those that it has."""
    wanted = {re.sub(r"\W", "", name): value for name, value in url.items()
              if name not in NO_SETTINGS and not name.startswith("param_")}
    database = (url.get("database") or "default").replace("`", "")
    for name in [name for name in left if name not in wanted and name != "database"]:
        connection.query("SET " + name + " = DEFAULT", "Null")
        del left[name]
    for name, value in wanted.items():
        if left.get(name) != value:
            connection.query("SET " + name + " = " + quoted(value), "Null")
            left[name] = value
    # One that was dropped and made again is another database: only the standing one is remembered.
    if left.pop("database", None) != database or database != "default":
        connection.query("USE `" + database + "`", "Null")
    left["database"] = database


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A small answer must not wait for the acknowledgement of its head.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        self.handle_any()

    def do_POST(self):
        self.handle_any()

    def handle_any(self):
        self.begun = False
        body = self.body()
        where = urlsplit(self.path)
        if where.path == "/ping":
            return self.send(200, b"Ok.\n", {})
        url = dict(parse_qsl(where.query, keep_blank_values=True))
        try:
            user = self.user(url)
            run(user, body, url, lambda: self.begin(url))
        except (Refused, RuntimeError, chdb.ChdbError) as error:
            if not self.begun:
                return self.failed(str(error))
            # The status has gone out: the broken answer says it.
            self.close_connection = True
            return None
        self.wfile.write(b"0\r\n\r\n")

    def begin(self, url):
        self.begun = True
        self.send_response(200)
        self.send_header("X-ClickHouse-Query-Id", url.get("query_id", ""))
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def write(content):
            if content:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        return write

    def failed(self, message):
        code = re.search(r"Code: (\d+)", message)
        code = int(code.group(1)) if code else 1002
        text = message + " (version " + chdb.engine_version + ")\n"
        self.send(STATUS.get(code, 500), text.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def user(self, url):
        name, password = self.headers.get("X-ClickHouse-User"), self.headers.get("X-ClickHouse-Key", "")
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            name, _, password = base64.b64decode(basic[6:]).decode().partition(":")
        name = name or url.get("user") or "default"
        password = password or url.get("password", "")
        if PASSWORDS.get(name) != password:
            raise Refused(
                "Code: 516. DB::Exception: " + name + ": Authentication failed: password is incorrect, or there is "
                "no user with such name. (AUTHENTICATION_FAILED)")
        return name

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    break
            content = b"".join(parts)
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def send(self, status, content, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", PORT), Handler)
# shutdown() waits for serve_forever, which runs in the thread that gets signals.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("chDB, engine of ClickHouse " + chdb.engine_version + ", on port " + str(PORT), flush=True)
server.serve_forever(poll_interval=0.1)
main.close()
os._exit(0)
