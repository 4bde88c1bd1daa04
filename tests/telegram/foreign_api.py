"""telegram-test-api, a Bot API that others wrote for testing bots, behind a small shim: it knows nothing of samoloop.

It is installed from npm into the cache of the end-to-end tests, with a Node of the Python package index where there is
none. The shim supplies what it lacks: waiting polls and updates that stay until they are acknowledged (it marks them
read when it hands them out), the `chat_instance` of a tap, files (their caption is passed on), results that are empty
or no message, and the methods that it does not know.
"""

import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import install
from bot_api import CHAT_DETAILS, parameters_of
from message_rules import plain_text

HERE = Path(__file__).parent / "foreign"
START = """
const TelegramServer = require("telegram-test-api");
const free = require("net").createServer().listen(0, "127.0.0.1", () => {
  const { port } = free.address();
  free.close(async () => {
    await new TelegramServer({ host: "127.0.0.1", port, storeTimeout: 3600 }).start();
    console.log(port);
  });
});
"""
UNKNOWN = {"setMyCommands": True, "setChatMenuButton": True, "deleteWebhook": True, "sendChatAction": True,
           "getWebhookInfo": {"url": "", "has_custom_certificate": False, "pending_update_count": 0}}  # fmt: skip


def installed() -> tuple[Path, Path]:
    """The node program, and the folder in which the package can be required."""
    cache = install.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    node = install.node_on_path()
    if node is None:
        python = Path(sys.executable)
        install.part(cache / "node", b"node", lambda folder: install.install_node(folder, python))
        node = install.node_in(cache / "node")

    def put(folder: Path) -> None:
        folder.mkdir(parents=True)
        shutil.copy(HERE / "package.json", folder)
        options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
        install.run([*node.npm, "install", *options], cwd=folder)

    package = cache / "telegram-test-api"
    install.part(package, (HERE / "package.json").read_bytes(), put)
    return node.program, package


class Foreign:
    """The server, its shim, and one person in a private chat. Use as a context manager."""

    def __init__(self, token: str, person: int) -> None:
        self.token = token
        self.sender = {"id": person, "is_bot": False, "first_name": "Ann"}
        self.chat = {"id": person, "type": "private", "first_name": "Ann"}
        self._updates: list[dict[str, Any]] = []
        self._polling = threading.Lock()
        self._closing = False
        self._shim = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._shim.daemon_threads = True

    def __enter__(self) -> Self:
        node, folder = installed()
        threading.Thread(target=self._shim.serve_forever, args=(0.02,), daemon=True).start()
        self._server = subprocess.Popen([node, "-e", START], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        port = self._server.stdout.readline()
        if not port:
            self.__exit__()
            raise RuntimeError("telegram-test-api did not start: what it said is above")
        self._inner = f"http://127.0.0.1:{int(port)}"
        return self

    def __exit__(self, *_: object) -> None:
        with self._polling:
            self._closing = True
        self._shim.shutdown()
        self._shim.server_close()
        self._server.kill()
        self._server.communicate()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._shim.server_address[1]}/bot"

    # The person

    def messages(self, containing: str = "") -> list[dict[str, Any]]:
        """What the bot has sent, as it stands now, in order: `message_id`, `text` as it is shown, `buttons`."""
        history = self.ask("/getUpdatesHistory", {"token": self.token})["result"]
        found = []
        for entry in sorted((e for e in history if "chat_id" in e.get("message", {})), key=lambda e: e["messageId"]):
            message = entry["message"]
            rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
            shown = plain_text(message["text"], message.get("parse_mode"))
            if containing in shown:
                found.append({"message_id": entry["messageId"], "text": shown, "buttons": [b for r in rows for b in r]})
        return found

    def wait_message(self, containing: str, seconds: float = 40.0) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.wait(lambda: self.messages(containing), seconds)
        return found[-1]

    def shown(self, message: dict[str, Any]) -> str:
        """What a message shows now."""
        return next(str(now["text"]) for now in self.messages() if now["message_id"] == message["message_id"])

    def wait(self, condition: Callable[[], Any], seconds: float = 40.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            shown = [message["text"] for message in self.messages()]
            assert time.monotonic() < deadline, f"nothing like that happened; the chat: {shown}"
            time.sleep(0.1)
        return found

    def tap(self, message: dict[str, Any], words: str) -> None:
        data = [button["callback_data"] for button in message["buttons"] if button["text"].startswith(words)]
        assert data, message
        self.ask("/sendCallback", {"botToken": self.token, "from": self.sender, "message": self._quoted(message),
                                   "data": data[0]})  # fmt: skip

    def reply(self, message: dict[str, Any], text: str) -> None:
        self.say(text, reply_to_message=self._quoted(message))

    def say(self, text: str, **more: Any) -> None:
        given = {"botToken": self.token, "from": self.sender, "chat": self.chat, "date": int(time.time()), "text": text}
        self.ask("/sendMessage", {**given, **more})

    def _quoted(self, message: dict[str, Any]) -> dict[str, Any]:
        bot = {"id": int(self.token.partition(":")[0]), "is_bot": True, "first_name": "samoloop"}
        return {"message_id": message["message_id"], "from": bot, "chat": self.chat, "date": int(time.time()),
                "text": message["text"]}  # fmt: skip

    # The shim

    def ask(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """What telegram-test-api says."""
        request = urllib.request.Request(
            self._inner + path, json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            said: dict[str, Any] = json.loads(answer.read())
            return said

    def call(self, method: str, given: dict[str, Any]) -> Any:
        """The result of a method, as the real server would give it."""
        if method == "getUpdates":
            return self._next_updates(int(given.get("offset", 0)), float(given.get("timeout", 0)))
        if method in UNKNOWN:
            return UNKNOWN[method]
        if method == "getChat":
            return {**self.chat, **CHAT_DETAILS}
        if method == "sendDocument":
            (name, _), *_ = given.pop("files").values()
            method, given = "sendMessage", {**given, "text": f"{name}\n{given.get('caption', '')}"}
        said = self.ask(f"/bot{self.token}/{method}", given)
        assert said["ok"], said
        result = said["result"]
        if method == "sendMessage":  # it gives back what it was given, which is no message
            return self._quoted(result)
        return True if result is None else result

    def _next_updates(self, offset: int, seconds: float) -> list[dict[str, Any]]:
        deadline = time.monotonic() + seconds
        while True:
            with self._polling:
                if self._closing:
                    return []
                self._updates += map(_completed, self.ask(f"/bot{self.token}/getUpdates", {})["result"])
                self._updates = [update for update in self._updates if update["update_id"] >= offset]
                if self._updates or time.monotonic() >= deadline:
                    return list(self._updates)
            time.sleep(0.05)


def _completed(update: dict[str, Any]) -> dict[str, Any]:
    if "callback_query" in update:
        return {**update, "callback_query": {"chat_instance": "1", **update["callback_query"]}}
    return update


def _handler(foreign: Foreign) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            method = self.path.rpartition("/")[2]
            result = foreign.call(method, parameters_of(self.headers.get("Content-Type", ""), body))
            answer = json.dumps({"ok": True, "result": result}).encode()
            with suppress(OSError):  # the bot was killed
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
