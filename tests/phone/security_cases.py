# SPDX-License-Identifier: Apache-2.0
"""Cases of phone_test.py: what a hostile script in the page, another phone, and a dump of the broker get."""
import base64
import http.server
import json
import threading

from phone_scene import expect, wait_for

FIRST, SECOND = 11, 22  # numbers that the cameras draw into their pictures
WAIT = 60               # s, until an expected effect is a failure; a shorter limit is a promise of the page

# What an injected script tries at another origin, and in the page. Returns what worked in the page.
INJECTED = """(async () => {
  const origin = ORIGIN, wait = (start) => new Promise((done) => { start(() => done(true), () => done(false)); setTimeout(() => done(false), 3000); });
  const attempt = (action) => { try { return action() ?? true; } catch { return false; } };
  const body = document.body, add = (name, set) => { const element = document.createElement(name); set(element); body.append(element); return true; };
  await fetch(`${origin}/fetch`, { mode: "no-cors" }).catch(() => 0);
  await wait((yes, no) => { const image = new Image(); image.onload = yes; image.onerror = no; image.src = `${origin}/image`; });
  attempt(() => navigator.sendBeacon(`${origin}/beacon`, "x"));
  await wait((yes, no) => { if (!attempt(() => { const socket = new WebSocket(origin.replace("http", "ws") + "/socket"); socket.onopen = yes; socket.onerror = no; })) no(); });
  attempt(() => add("script", (element) => { element.src = `${origin}/script`; }));
  attempt(() => add("iframe", (element) => { element.src = `${origin}/frame`; }));
  attempt(() => add("link", (element) => { element.rel = "stylesheet"; element.href = `${origin}/style`; }));
  const inline = attempt(() => add("script", (element) => { element.textContent = "window.injected = 1"; })) && window.injected === 1;
  const html = attempt(() => { body.append(document.createElement("p")); body.lastChild.innerHTML = "<b>x</b>"; return body.lastChild.firstChild.tagName === "B"; });
  return [inline, html];
})()"""


class Outside(http.server.ThreadingHTTPServer):
    """Another origin, which counts the paths that a page requests."""

    def __init__(self):
        self.paths = set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.add(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "image/svg+xml" if self.path == "/image" else "text/plain")
                self.end_headers()
                self.wfile.write(b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')

            do_POST = do_GET

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


def policy(s):
    """A script that was injected into the page reaches no other origin, and runs no inline script. The control: without the policy it does."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    tried = {"/fetch", "/image", "/beacon", "/socket", "/script", "/frame", "/style"}
    with Outside() as outside, Outside() as other:
        worked = browser.do("evaluate", code=INJECTED.replace("ORIGIN", json.dumps(outside.origin)))
        expect(worked == [False, False], f"an injected script ran {worked}")
        seen = [url for url in browser.do("requests") if url.startswith(outside.origin)]
        browser.do("open", page="bare", context="bare", url=f"{a.origin}/", policy=False)
        worked = browser.do("evaluate", page="bare", code=INJECTED.replace("ORIGIN", json.dumps(other.origin)))
        expect(worked == [True, True], f"control: without the policy, an injected script ran {worked}")
        wait_for(f"control: without the policy, each of {sorted(tried)} arrives", lambda: other.paths == tried, WAIT)
        expect(any(url.startswith(other.origin) for url in browser.do("requests")), "control: the test does not see requests to others")
        browser.do("end", context="bare")
        # Those of the control began later, and have all arrived.
        expect(not outside.paths, f"an injected script reached {outside.paths}")
    browser.do("clear")
    print(f"{len(tried)} ways to another origin and 2 to run code are blocked ({len(seen)} attempts seen), and work without the policy")


def stored_login(browser, page):
    """Id, password and address that a page stored when it was linked."""
    return browser.do("evaluate", page=page, code="""new Promise((resolve) => { const r = indexedDB.open("sealcam-phone"); r.onsuccess = () => { const q = r.result.transaction("link").objectStore("link").get("broker");
      q.onsuccess = () => { r.result.close(); resolve({ id: q.result.id, password: q.result.password, address: q.result.address }); }; }; })""")


def credentials(s):
    """The broker's files have no password, and the password of one phone does not open the other's account or id."""
    a, browser, w = s.account(number=FIRST), s.browser, s.world
    b = s.account("second", SECOND, "Garden")
    a.link("Phone one", "first", "one")
    b.link("Phone two", "second", "two")
    one, two = (stored_login(browser, page) for page in ("first", "second"))
    secrets = [text.encode() for login in (one, two) for text in (login["password"],)]
    secrets += [base64.urlsafe_b64decode(login["password"] + "=") for login in (one, two)]
    found = [path for path in (w.folder / "broker").rglob("*") if path.is_file() and any(secret in path.read_bytes() for secret in secrets)]
    expect(not found, f"passwords in {found}")
    # The second phone's page tries each combination. Only its own login is accepted.
    tried = """(async () => { const { Broker } = await import("./broker.js"), module = await import("./mqtt.js"), results = [];
      for (const [id, password] of TRIES) results.push(await new Promise((resolve) => {
        const broker = new Broker(module.default ?? module, { address: ADDRESS, id, password }, { message() {}, state(connected, why) { resolve(connected ? "accepted" : why); setTimeout(() => broker.close(), 0); } });
        broker.open(); }));
      return results; })()"""
    tries = [[one["id"], two["password"]], [two["id"], one["password"]], [two["id"], ""], [one["id"], one["password"][:-1] + "A"], [two["id"], two["password"]]]
    browser.do("open", page="third", context="three", url=b.origin + "/")
    results = browser.do("evaluate", page="third", code=tried.replace("TRIES", json.dumps(tries)).replace("ADDRESS", json.dumps(two["address"])))
    expect(results[:4] == ["login"] * 4, f"logins with a password of another phone: {results}")
    expect(results[4] == "accepted", f"control: the phone's own login is {results[4]}")
    print(f"no password in {w.folder.name}/broker; logins {results}")
