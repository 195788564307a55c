// SPDX-License-Identifier: Apache-2.0
// Which clients of the web server have access: local users without a token, tokens with other rights, one-time codes,
// and requests that pages of other sites cause. Each rejection has a control: the same request with the credential, or
// of the page itself, is answered.
#include "hub/web/routes.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;

namespace {

const std::vector<std::string> private_paths = {"/",
                                                "/main.js",
                                                "/api/state",
                                                "/metrics",
                                                "/ws",
                                                "/nothing",
                                                "/snapshot/Door.jpg",
                                                "/snapshot/Nobody.jpg?stale=allow",
                                                "/live/Door.ts",
                                                "/live/Nobody.ts"};

std::string cookie_of(const std::string& answer) {
  const auto at = answer.find("Set-Cookie: ") + 12;
  REQUIRE(answer.contains("Set-Cookie: "));
  return answer.substr(at, answer.find(';', at) - at);
}

std::string make_code(World& w) {
  return w.on_network([&] { return w.access.make_code("alice").value(); });
}

std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("without a token every path has the same answer, and no camera is named") {
  World w;
  const auto first = http(w, anonymous_get("/"));
  CHECK(first.starts_with("HTTP/1.1 401"));
  CHECK(first.contains("sealcam-hub open"));
  for (const auto& path : private_paths) {
    CAPTURE(path);
    CHECK(http(w, anonymous_get(path)) == first);
    CHECK(http(w, anonymous_get(path, "localhost", bearer(std::string(43, 'x')))) == first);
    CHECK(http(w, anonymous_get(path + (path.contains('?') ? "&" : "?") + "token=" + privacy_token)) == first);
  }
  CHECK(w.on_network([&] { return w.backend.changes == 0; }));
  CHECK(http(w, get("/api/state")).starts_with("HTTP/1.1 200"));  // control
  CHECK(http(w, get("/")).contains("<title>"));                   // control
}

TEST_CASE("a WebSocket without a token is rejected before the upgrade") {
  World w;
  CHECK_FALSE(Client(w, {.token = ""}).handshake());
  CHECK_FALSE(Client(w, {.token = std::string(43, 'x')}).handshake());
  CHECK_FALSE(Client(w, {.token = metrics_token}).handshake());
  CHECK(w.on_network([&] { return w.server->clients() == 0; }));
  CHECK(Client(w, {.token = view_token}).handshake());  // control
}

TEST_CASE("a token for metrics reads /metrics and nothing else") {
  World w;
  for (const auto& path : private_paths) {
    CAPTURE(path);
    const auto answer = http(w, anonymous_get(path, "localhost", bearer(metrics_token)));
    CHECK(answer.starts_with(path == "/metrics" ? "HTTP/1.1 200" : "HTTP/1.1 403"));
    CHECK_FALSE(answer.contains("Door"));
  }
  CHECK(http(w, anonymous_get("/metrics", "localhost", bearer(view_token))).starts_with("HTTP/1.1 200"));
}

TEST_CASE("a token with the right view cannot switch privacy") {
  World w;
  const auto request = R"({"privacy":")" + std::string(32, 'a') + R"(","on":false})";
  Client viewer(w, {.token = view_token});
  REQUIRE(viewer.handshake());
  (void)viewer.read();
  (void)viewer.read();
  viewer.send(request);
  CHECK(viewer.read().contains(R"("why":"not_allowed")"));
  CHECK(w.on_network([&] { return w.backend.switched.empty(); }));
  Client other(w);  // control
  REQUIRE(other.handshake());
  other.send(request);
  CHECK(w.eventually([&] { return w.backend.switched.size() == 1; }));
}

TEST_CASE("players send the token as the password of Basic, and other programs as Bearer") {
  World w;
  const auto with = [&](const std::string& value) {
    return http(w, anonymous_get("/api/state", "localhost", "Authorization: " + value + "\r\n")).substr(9, 3);
  };
  // token:vvvv… and user:vvvv… in base64
  CHECK(with("Basic dG9rZW46dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dg==") == "200");
  CHECK(with("basic dG9rZW46dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dg==") == "200");
  CHECK(with("Basic dXNlcjp2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2") == "401");
  CHECK(with("Basic dG9rZW46dnZ2") == "401");
  CHECK(with("Bearer " + view_token) == "200");
  CHECK(with("bearer  " + view_token + " ") == "200");
  CHECK(with("Bearer " + view_token + "v") == "401");
  CHECK(with(view_token) == "401");
  CHECK(with("Bearer " + view_token + "\r\nAuthorization: Bearer " + view_token) == "401");
  CHECK(with("Bearer x\r\nCookie: " + cookie_name(w.port) + "=" + view_token) == "401");
  const auto challenge = http(w, anonymous_get("/live/Door.ts"));
  CHECK(challenge.contains("WWW-Authenticate: Basic"));
  const auto browser = http(w, anonymous_get("/", "localhost", "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n"));
  CHECK(browser.starts_with("HTTP/1.1 401"));
  CHECK_FALSE(browser.contains("Basic"));  // a browser would show a dialog
}

TEST_CASE("a browser exchanges a code for a cookie, and the code does not stay in its address bar") {
  World w;
  const auto code = make_code(w);
  const auto browser = std::string("Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n");
  const auto answer = http(w, anonymous_get("/open?code=" + code, "localhost", browser));
  CHECK(answer.starts_with("HTTP/1.1 303"));
  CHECK(answer.contains("\r\nLocation: /\r\n"));
  CHECK(answer.contains("; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict\r\n"));
  CHECK(answer.contains("\r\nReferrer-Policy: no-referrer\r\n"));
  CHECK(answer.contains("\r\nCache-Control: no-store\r\n"));
  CHECK_FALSE(answer.contains(code));
  const auto cookie = cookie_of(answer);
  CHECK(cookie.starts_with("sealcam-" + std::to_string(w.port) + "="));
  CHECK(http(w, anonymous_get("/api/state", "localhost", "Cookie: a=b; " + cookie + "; c=d\r\n")).contains(" 200 "));
  CHECK(http(w, anonymous_get("/api/state", "localhost", "Cookie: x" + cookie + "\r\n")).contains(" 401 "));
  // Another server of this machine can add a cookie of the same name, but not shut the browser out.
  const auto added = "Cookie: " + cookie_name(w.port) + "=wrong; " + cookie + "\r\n";
  CHECK(http(w, anonymous_get("/api/state", "localhost", added)).contains(" 200 "));
  CHECK(Client(w, {.token = "", .more = {{"Cookie", cookie}}}).handshake());
  const auto again = http(w, anonymous_get("/open?code=" + code, "localhost", browser));
  CHECK(again.starts_with("HTTP/1.1 401"));
  CHECK_FALSE(again.contains("Set-Cookie"));
}

TEST_CASE("a link in a file opens the page; frames, scripts, prefetches and HEAD do not use the code") {
  World w;
  const auto code = make_code(w);
  const auto send = [&](const std::string& headers, const std::string& method = "GET") {
    return http(
        w, method + " /open?code=" + code + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n");
  };
  const std::string link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
  for (const std::string headers :
       {"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n",
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"})
    CHECK(send(headers).starts_with("HTTP/1.1 403"));
  CHECK(send(link + "Origin: http://evil.example\r\n").starts_with("HTTP/1.1 403"));
  CHECK(send(link + "Sec-Purpose: prefetch;prerender\r\n").starts_with("HTTP/1.1 503"));
  CHECK(send(link, "HEAD").starts_with("HTTP/1.1 405"));
  CHECK(send(link, "POST").starts_with("HTTP/1.1 405"));
  const auto answer = send(link);
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.contains("\r\nRefresh: 0; url=/\r\n"));
  CHECK(http(w, anonymous_get("/api/state", "localhost", "Cookie: " + cookie_of(answer) + "\r\n")).contains(" 200 "));
}

TEST_CASE("guesses of a code are limited") {
  World w;
  for (unsigned i = 0; i < access::Access::max_wrong_codes; ++i)
    CHECK(http(w, anonymous_get("/open?code=" + std::string(43, 'g'))).starts_with("HTTP/1.1 401"));
  const auto answer = http(w, anonymous_get("/open?code=" + make_code(w)));
  CHECK(answer.starts_with("HTTP/1.1 429"));
  CHECK(answer.contains("Retry-After: 60"));
  w.advance(1min);
  CHECK(http(w, anonymous_get("/open?code=" + make_code(w))).starts_with("HTTP/1.1 303"));  // control
}

TEST_CASE("requests of other sites start nothing and have one answer, with and without a valid token") {
  World w;
  const auto first = http(w, anonymous_get("/", "localhost", "Sec-Fetch-Site: cross-site\r\n"));
  CHECK(first.starts_with("HTTP/1.1 403"));
  for (const auto* site : {"cross-site", "same-site", "", "none\r\nSec-Fetch-Site: cross-site"}) {
    for (const auto& path : private_paths) {
      CAPTURE(site, path);
      const auto field = std::string("Sec-Fetch-Site: ") + site + "\r\n";
      CHECK(http(w, get(path, "localhost", field)) == first);
      CHECK(http(w, anonymous_get(path, "localhost", field)) == first);
    }
    if (!std::string(site).contains('\n')) CHECK_FALSE(Client(w, {.more = {{"Sec-Fetch-Site", site}}}).handshake());
  }
  CHECK(w.on_network([&] { return w.backend.changes == 0 && w.backend.switched.empty() && w.server->clients() == 0; }));
  for (const auto* site : {"same-origin", "none"})  // control
    CHECK(http(w, get("/api/state", "localhost", std::string("Sec-Fetch-Site: ") + site + "\r\n")).contains(" 200 "));
  CHECK(Client(w, {.more = {{"Sec-Fetch-Site", "same-origin"}}}).handshake());  // control
}

TEST_CASE("connections of a deleted token end, others continue") {
  World w;
  Client deleted(w, {.token = view_token}), kept(w);
  REQUIRE(deleted.handshake());
  REQUIRE(kept.handshake());
  REQUIRE(w.eventually([&] { return w.server->clients() == 2; }));
  w.advance(1ms);
  CHECK(w.on_network([&] { return w.server->clients() == 2; }));  // control
  w.on_network([&] { w.tokens.remove("view"); });
  w.advance(1ms);
  CHECK(w.on_network([&] { return w.server->clients() == 1; }));
  CHECK(deleted.read_close_code() == 1001);  // going away
  CHECK(body_of(http(w, anonymous_get("/api/state", "localhost", bearer(view_token)))).contains("access token"));
}

TEST_CASE("attacks of local users and of other sites show nothing; without the checks a hub answers each of them") {
  struct Attack {
    std::string name, headers;
  };
  const std::string other_site = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
  const std::vector<Attack> attacks = {
      {"another local user", ""},
      {"another local user guesses a token", bearer(std::string(43, 'a'))},
      {"another local user guesses a cookie", "Cookie: sealcam-8420=" + std::string(43, 'a') + "\r\n"},
      {"a page of another site", bearer(privacy_token) + other_site},
      {"a page of another port of this machine", bearer(privacy_token) + "Sec-Fetch-Site: same-site\r\n"},
      {"a script of another site", bearer(privacy_token) + "Origin: http://evil.example\r\n"}};
  World w;
  int shown = 0, shown_without_checks = 0;
  for (const auto& attack : attacks) {
    for (const std::string path : {"/", "/api/state", "/metrics"}) {
      CAPTURE(attack.name, path);
      shown += http(w, anonymous_get(path, "localhost", attack.headers)).starts_with("HTTP/1.1 200");
      // The same request to the part of the server behind the checks.
      Request request;
      request.target = path;
      request.hosts = {"localhost"};
      shown_without_checks += w.on_network([&] { return respond(request, w.backend).status == 200; });
    }
    for (const std::string path : {"/snapshot/Door.jpg", "/live/Door.ts"}) {
      const auto known = http(w, anonymous_get(path, "localhost", attack.headers));
      const auto unknown = http(w, anonymous_get("/snapshot/Garden.jpg", "localhost", attack.headers));
      CHECK(known == unknown);
    }
  }
  CHECK(shown == 0);
  CHECK(shown_without_checks == 3 * static_cast<int>(attacks.size()));
  CHECK(w.on_network([&] { return w.backend.changes == 0; }));
}
