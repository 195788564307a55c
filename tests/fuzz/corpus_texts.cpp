// SPDX-License-Identifier: Apache-2.0
// Seeds from text: names, JSON, PEM, HTTP and WebSocket.
#include <boost/beast/core/detail/base64.hpp>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "corpus_parts.hpp"
#include "device/enrollment.hpp"
#include "owner/account/account.hpp"
#include "owner/broker/device_records.hpp"
#include "parties.hpp"
#include "protocol/envelope.hpp"
#include "scratch.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::fuzz {

void name_seeds(Seeds& seeds) {
  const auto id = parties().camera.id();
  seeds.put("names_fuzz", "id", {0}, id.to_string());
  seeds.put("names_fuzz", "id-bytes", {0}, id.bytes());
  seeds.put("names_fuzz", "hex", {1}, to_hex(id.bytes()));
  using protocol::Leaf;
  for (const auto leaf :
       {Leaf::roster, Leaf::command, Leaf::grants, Leaf::video, Leaf::still, Leaf::past, Leaf::status})
    seeds.put("names_fuzz", "topic-" + std::string(name(leaf)), {2}, protocol::topic(parties().route, leaf));
  seeds.put("names_fuzz", "topic-index", {2}, protocol::index_topic(parties().route.account, parties().hub.id()));
  seeds.put("names_fuzz", "topic-request", {2}, protocol::request_topic(parties().route, parties().hub.id()));
  seeds.put("names_fuzz", "listen-4", {3}, "127.0.0.1:8420");
  seeds.put("names_fuzz", "listen-6", {3}, "[::1]:0");
  seeds.put("names_fuzz", "host", {4}, "LocalHost:8420\nhttp://localhost:8420");
  seeds.put("names_fuzz", "host-6", {4}, "[::1]");
  for (const auto role : {protocol::Role::camera, protocol::Role::hub, protocol::Role::owner})
    seeds.put("names_fuzz", "record-" + std::string(name(role)), {5},
              owner::device_record_text({{role, id, parties().owner.account()}, {"41", "7f00"}}));
  seeds.put(
      "names_fuzz", "record-phone", {5},
      owner::device_record_text({{protocol::Role::hub, id, parties().owner.account()}, {}, crypto::PasswordHash{}}));
  seeds.put("names_fuzz", "revocations", {5},
            owner::revocations_text({3, {"41"}, {{protocol::Role::hub, id, parties().owner.account()}}}));
  seeds.put("names_fuzz", "event-url", {6}, "https://ntfy.example:8443/api/webhook/a?b=c");
  seeds.put("names_fuzz", "event-url-6", {6}, "http://[fd00::1]");
  seeds.put("names_fuzz", "event-answer", {6}, "HTTP/1.1 200 OK\r\n");
}

namespace {

std::string account_json() {
  owner::AccountFile account;
  account.account = parties().owner.account();
  account.cameras = {{parties().camera.id(), "Front door", parties().camera.identity(), parties().camera.hpke(),
                      protocol::RosterVersion(3), protocol::RosterVersion(2)}};
  owner::HubRecord hub;
  hub.id = parties().hub.id();
  hub.name = "display";
  hub.identity = parties().hub.identity();
  hub.hpke = parties().hub.hpke();
  hub.this_machine = true;
  hub.integration = protocol::Integration(0xfedcba9876543210);
  hub.denied = {parties().stranger.id()};
  account.hubs = {hub};
  account.integrations = {{protocol::Integration(0xfedcba9876543210), "cloud link", true}};
  const auto path = scratch().path() / "account.json";
  if (!owner::write_account(path, account)) throw std::runtime_error("account.json");
  return std::string(as_text(must(read_file(path, 1 << 20))));
}

std::string enrollment_json() {
  const device::StateFiles files{scratch().path()};
  must(device::write_enrollment(files,
                                {.role = protocol::Role::camera,
                                 .owner = parties().owner.identity(),
                                 .broker_host = "broker.example",
                                 .broker_port = 18883,
                                 .ca_pem = "-----BEGIN CERTIFICATE-----\nca\n-----END CERTIFICATE-----\n",
                                 .certificate_pem = "-----BEGIN CERTIFICATE-----\nown\n-----END CERTIFICATE-----\n",
                                 .name = "Haustür"}));
  return std::string(as_text(must(read_file(files.enrollment(), 1 << 20))));
}

Bytes der_of(std::string_view pem) {
  std::string text;
  auto rest = pem.substr(pem.find('\n') + 1);
  rest = rest.substr(0, rest.find("-----"));
  for (const char c : rest)
    if (c != '\n') text += c;
  Bytes der(boost::beast::detail::base64::decoded_size(text.size()));
  der.resize(boost::beast::detail::base64::decode(der.data(), text.data(), text.size()).first);
  return der;
}

}  // namespace

/// The first byte is the kind of text that the fuzzer expects.
static void update_seeds(Seeds& seeds) {
  seeds.put("update_fuzz", "release", {0},
            R"({"manifest-hash":"0000000000000000000000000000000000000000000000000000000000000000",)"
            R"("update":{"compatible":"sealcam-testboard","version":"0.2.0"},"bundle":{"format":"verity"},"images":[],)"
            R"("meta":{"sealcam":{"version":"0.2.0","minimum-version":"0.1.0","share":"2.5"}}})");
  seeds.put("update_fuzz", "slots", {1},
            R"({"compatible":"x","booted":"b","boot_primary":"root.0","slots":[{"root.0":{"bootname":"a",)"
            R"("boot_status":"good"}},{"boot.0":{"bootname":null}},{"root.1":{"bootname":"b","boot_status":"bad",)"
            R"("slot_status":{"bundle":{"hash":"00"}}}}]})");
  seeds.put("update_fuzz", "state", {2},
            R"({"format":1,"minimum":"0.1.0","worked":{"sensor":true,"epoch":true,"broker":false},"started":3,)"
            R"("waiting":{"version":"0.2.0","seconds":60},"trial":{"version":"0.2.0","minimum":"0.1.0","slot":"b",)"
            R"("starts":1,"seconds":9,"seen":true,"required":{"sensor":true},"verdict":"x","transient":true},)"
            R"("failed":{"version":"0.1.9","tries":1,"final":true},)"
            R"("last":{"version":"0.1.9","result":"rolled_back","reason":"x","at":1800000000}})");
  seeds.put("update_fuzz", "consent", {3}, R"({"action":"reject","version":"0.2.0","until":1800000000,"number":4})");
  seeds.put("update_fuzz", "camera", {3},
            R"({"pid":1,"uptime_ms":2,"captured":3,"fault":"sensor","connected":true,"epoch":"01","epoch_open":true,)"
            R"("epoch_fault":""})");
  seeds.put("update_fuzz", "sockets", {3}, "  sl  local\n   0: 00000000:20E5 00000000:0000 0A 00000000:00000000\n");
}

void json_seeds(Seeds& seeds) {
  update_seeds(seeds);
  seeds.put("config_fuzz", "reader", {0},
            R"({"a":12,"b":29.97,/* why */"c":true,"d":{"e":"x","f":"y"},"g":["1","2"],"h":["z"]})");
  seeds.put(
      "config_fuzz", "camera-fake", {1},
      R"({"source":{"backend":"fake","rate":30,"size":"1280x720","number":7},"log":"debug",)"
      R"("encoder":{"codec":"libx264","bitrate":2000000,"min_bitrate":150000,"keyframe_interval":60,"threads":2}})");
  seeds.put("config_fuzz", "camera-replay", {1},
            R"({"source":{"backend":"replay","file":"clip.avi","loop":false,"realtime":false,"rate":0}})");
  seeds.put("config_fuzz", "camera-auto", {1},
            R"({"source":{"backend":"auto","device":"auto","format":"NV12","controls":{"gain":"auto","hflip":true}}})");
  seeds.put("config_fuzz", "hub", {2}, R"({"listen":"[::1]:8420","log":"warning","verify_threads":2})");
  seeds.put("config_fuzz", "enrollment", {3}, enrollment_json());
  seeds.put("config_fuzz", "account", {4}, account_json());
  seeds.put("config_fuzz", "tokens", {5},
            R"({"version": 1, "tokens": [{"name": "Home Assistant", "rights": "view", "hash": ")" +
                to_base64url(Bytes(32)) + R"(", "created": 1790000000, "used": 1790000000, "browser": false}]})");
  seeds.put("config_fuzz", "update-status", {6},
            R"({"version":"0.1.0","slot":"a","state":"offered","offer":"0.2.0","share":10,"last":{"version":"0.1.9",)"
            R"("result":"rolled_back","reason":"no sensor","at":1790000000}})");
  seeds.put("config_fuzz", "deep", {0}, R"({"x":)" + std::string(2000, '[') + std::string(2000, ']') + "}");
}

void pem_seeds(Seeds& seeds) {
  using namespace transport;
  const auto key = must(TlsKey::generate());
  const auto request = must(make_request(key, parties().camera.id().to_string()));
  const auto authority = must(make_authority(key, "operator"));
  const auto leaf = must(sign_request(authority, key, must(make_request(key, "broker")), "broker",
                                      CertificateUse::server, {"localhost", "127.0.0.1", "::1"}));
  const auto both = [&](unsigned choice, std::string_view name, std::string_view pem) {
    seeds.put("pem_fuzz", std::string(name) + "-pem", {choice}, pem);
    seeds.put("pem_fuzz", std::string(name) + "-der", {0x80U | choice}, der_of(pem));
  };
  both(0, "key", as_text(key.reveal_pem()));
  both(2, "request", request);
  both(3, "authority", authority);
  both(3, "server", leaf);
}

namespace {

std::string framed(unsigned opcode, std::string_view text) {
  std::string frame{static_cast<char>(0x80U | opcode), static_cast<char>(0x80U | text.size()), 0, 0, 0, 0};
  return frame.append(text);
}
std::string counted(std::string_view text) { return static_cast<char>(text.size()) + std::string(text); }

}  // namespace

void publish_seeds(Seeds& seeds) {
  using namespace std::literals;
  // MQTT 5 section 3.3: fixed header, remaining length, length of the topic, topic, no properties, payload.
  const auto video = "\x30\x19\0\x13sealcam/1/a/b/video\0abc"s;
  const auto still = "\x31\x19\0\x13sealcam/1/a/b/still\0abc"s;
  const auto short_one = "\x33\x07\0\1a\0\1\0x"s, ping = "\xd0\0"s, ack = "\x40\2\0\1"s;
  seeds.put("publish_parser_fuzz", "messages", {255}, video + ping + still + ack + short_one);
  seeds.put("publish_parser_fuzz", "messages-in-pieces", {2}, short_one + still + video);
  seeds.put("publish_parser_fuzz", "long", {255}, "\x31\x85\x01\0\1a\0"s + std::string(129, 'x') + short_one);
}

void web_seeds(Seeds& seeds) {
  using namespace std::literals;
  // The fuzzers' token and the mark that http_fuzz replaces by a code.
  const std::string token(43, 't'), code(43, 'c');
  const auto bearer = "Authorization: Bearer " + token + "\r\n";
  const auto state = "GET /api/state HTTP/1.1\r\nHost: localhost:8420\r\n" + bearer + "\r\n";
  const auto upgrade =
      "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\n" +
      bearer + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"s;
  const auto posted = "POST / HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"s;
  for (const auto& [name, text] :
       {std::pair{"state", state},
        {"upgrade", upgrade},
        {"posted", posted},
        {"page", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"s},
        {"other-host", "GET /api/state HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n"s},
        {"basic",
         "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic "
         "dG9rZW46dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dA==\r\n\r\n"s},
        {"cookie", "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; sealcam-8420=" + token +
                       "\r\nSec-Fetch-Site: same-origin\r\n\r\n"},
        {"open", "GET /open?code=" + code +
                     " HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n"
                     "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n"},
        {"prefetch", "GET /open?code=" + code + " HTTP/1.1\r\nHost: localhost\r\nSec-Purpose: prefetch\r\n\r\n"},
        {"old", "HEAD /api/state?x=1 HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"s}}) {
    seeds.put("http_fuzz", name, {255}, text);
    seeds.put("http_fuzz", std::string(name) + "-in-pieces", {6}, text);
    seeds.put("web_fuzz", name, {0}, text);
  }
  seeds.put("web_fuzz", "state-twice", {0}, state + state);
  const auto id = DeviceId().to_string();
  const auto one = R"({"watch":[")" + id + R"("]})", all = R"({"watch":"all"})"s, none = R"({"watch":[]})"s;
  seeds.put("web_fuzz", "upgrade-and-watch", {0}, upgrade + framed(1, all));
  seeds.put("web_fuzz", "frames", {1}, framed(1, all) + framed(9, "ping") + framed(1, none) + framed(8, "\x03\xe8"));
  seeds.put("web_fuzz", "binary", {1}, framed(2, all));
  seeds.put("web_fuzz", "texts", {2}, counted(all) + counted(one) + counted(none) + counted("{}"));
  const auto other = parties().camera.id().to_string();
  for (const auto& [name, text] : {std::pair{"all", all},
                                   {"one", one},
                                   {"none", none},
                                   {"two", R"({"watch":[")" + id + R"(",")" + other + R"("]})"},
                                   {"nested", R"({"watch":[[[["x"]]]]})"s}})
    seeds.put("watch_request_fuzz", name, {}, text);
  const auto link = "/link/1/" + std::string(32, '0');
  const auto put = [](const std::string& method, const std::string& target) {
    return method + " " + target +
           " HTTP/1.1\r\nHost: h\r\nContent-Type: application/cbor\r\nContent-Length: 3\r\n\r\nabc";
  };
  for (const auto& [name, text] :
       {std::pair{"page", "GET / HTTP/1.1\r\nHost: h\r\n\r\nHEAD /app.js HTTP/1.1\r\nHost: h\r\n\r\n"s},
        {"opening", put("PUT", link)},
        {"descriptor", put("POST", link + "/descriptor")},
        {"enrollment", put("PUT", link + "/enrollment")},
        {"poll", "GET " + link + "/descriptor HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"traversal", "GET /../app.js HTTP/1.1\r\nHost: h\r\n\r\n"s}}) {
    seeds.put("phone_fuzz", name, {0x7f}, text);
    seeds.put("phone_fuzz", std::string(name) + "-opened-in-pieces", {0x82}, text);
  }
}

}  // namespace sealcam::fuzz
